"""Datasets: the two formats, their canonical bytes, and the check of lines that somebody uploads.

A dataset is one JSON object a line, keys in the format's order, every item with an id that stands once
(the first 16 hex digits of its content's SHA-256 where none was given). The canonical bytes are what the
digest is over, so the same items have the same digest wherever they were made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, BinaryIO, TypeAlias

import msgspec

from runledger.tracker.errors import BadInput
from runledger.tracker.ids import Digest
from runledger.tracker.schemas import problem_of

MAX_LINE_BYTES = 4 * 1024 * 1024

Words: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]
ItemId: TypeAlias = Annotated[str, msgspec.Meta(max_length=200)]


class Trace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question with the steps that lead to its answer."""

    id: ItemId = ""
    prompt: Words
    steps: tuple[str, ...] = ()
    answer: Words


class Text(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: ItemId = ""
    text: Words


Item: TypeAlias = Trace | Text

FORMATS: dict[str, type[Trace] | type[Text]] = {"traces": Trace, "text": Text}

_encoder = msgspec.json.Encoder()
_decoders: dict[str, msgspec.json.Decoder[Trace] | msgspec.json.Decoder[Text]] = {
    "traces": msgspec.json.Decoder(Trace),
    "text": msgspec.json.Decoder(Text),
}


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a dataset once its canonical bytes are written."""

    digest: Digest
    items: int
    size_bytes: int
    statistics: dict[str, float]


def read(format: str, lines: Iterable[bytes]) -> Iterator[Item]:
    """The items of an upload, checked one by one; lines of white space are passed over.

    Raises `BadInput` that names the first line which does not fit, or whose id stands already above.
    """
    decoder = _decoder(format)
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        item = identified(_decode_line(decoder, number, line))
        if item.id in seen:
            raise BadInput(f"line {number}", f"id {item.id!r} stands already on line {seen[item.id]}")
        seen[item.id] = number
        yield item
    if not seen:
        raise BadInput("line 1", "a dataset has at least one item")


def write(items: Iterable[Item], to: BinaryIO) -> Contents:
    """Write the canonical bytes of `items` (each with an id) and tell what they are."""
    hasher = hashlib.sha256()
    statistics = _Statistics()
    size_bytes = 0
    for item in items:
        line = _encoder.encode(item) + b"\n"
        hasher.update(line)
        size_bytes += len(line)
        statistics.add(item)
        to.write(line)
    return Contents(
        digest=Digest(hasher.hexdigest()),
        items=statistics.items,
        size_bytes=size_bytes,
        statistics=statistics.summary(),
    )


def load(format: str, lines: Iterable[bytes]) -> Iterator[Item]:
    """The items of canonical bytes: what `write` wrote, so ids are not checked again."""
    decoder = _decoder(format)
    for line in lines:
        yield decoder.decode(line)


def read_items(path: Path) -> list[Item]:
    """The items of a file of canonical bytes, of whichever format they are."""
    with path.open("rb") as lines:
        found = format_of(lines.readline())
        lines.seek(0)
        return list(load(found, lines))


def format_of(line: bytes) -> str:
    """The format that a line is of, as far as one can tell: `read` says what is wrong with it."""
    try:
        keys = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        keys = {}
    return "text" if "text" in keys else "traces"


def identified(item: Item) -> Item:
    """The item itself where it has an id, else the same with the id that its content gives."""
    return item if item.id else msgspec.structs.replace(item, id=content_digest(item)[:16])


def content_digest(item: Item) -> Digest:
    """SHA-256 of all but the id."""
    return Digest(hashlib.sha256(_encoder.encode(_content(item))).hexdigest())


def question_digest(item: Item) -> Digest:
    """SHA-256 of what is asked (a trace's prompt, a whole text): two datasets overlap where it is equal."""
    asked = item.prompt if isinstance(item, Trace) else item.text
    return Digest(hashlib.sha256(" ".join(asked.split()).encode()).hexdigest())


def _decoder(format: str) -> msgspec.json.Decoder[Trace] | msgspec.json.Decoder[Text]:
    if format not in _decoders:
        raise BadInput("$.format", f"{format!r} is none of {', '.join(sorted(_decoders))}")
    return _decoders[format]


def _decode_line(
    decoder: msgspec.json.Decoder[Trace] | msgspec.json.Decoder[Text], number: int, line: bytes
) -> Item:
    if len(line) > MAX_LINE_BYTES:
        raise BadInput(f"line {number}", f"{len(line)} bytes are more than {MAX_LINE_BYTES}")
    try:
        return decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        place, problem = problem_of(error)
        raise BadInput(f"line {number}", problem if place == "$" else f"{place}: {problem}") from None


def _content(item: Item) -> tuple[object, ...]:
    if isinstance(item, Trace):
        return (item.prompt, item.steps, item.answer)
    return (item.text,)


class _Statistics:
    """Counts of characters, kept while the items pass by."""

    def __init__(self) -> None:
        self.items = 0
        self._total: dict[str, int] = {}
        self._longest: dict[str, int] = {}

    def add(self, item: Item) -> None:
        self.items += 1
        for name, size in _sizes(item):
            self._total[name] = self._total.get(name, 0) + size
            self._longest[name] = max(self._longest.get(name, 0), size)

    def summary(self) -> dict[str, float]:
        means = {f"{name}_mean": total / self.items for name, total in self._total.items()}
        return means | {f"{name}_max": float(size) for name, size in self._longest.items()}


def _sizes(item: Item) -> tuple[tuple[str, int], ...]:
    if isinstance(item, Text):
        return (("text_chars", len(item.text)),)
    return (
        ("prompt_chars", len(item.prompt)),
        ("steps", len(item.steps)),
        ("steps_chars", sum(map(len, item.steps))),
        ("answer_chars", len(item.answer)),
    )
