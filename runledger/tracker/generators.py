"""Datasets made on the spot, for machines without a network: the same options give the same bytes.

`arithmetic` makes additions and subtractions with their written working, `stdlib` cuts the running
Python's standard library into texts. Both split by a hash of the item's own identity (the operands, the
file), never by seed, so `train` and `heldout` share nothing whatever the options.
"""

from __future__ import annotations

import hashlib
import platform
import random
import sysconfig
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from runledger.tracker.datasets import Item, Text, Trace, identified
from runledger.tracker.errors import BadInput
from runledger.tracker.schemas import convert
from runledger.tracker.spec import JsonObject

Split = Literal["train", "heldout"]
MAX_ITEMS = 1_000_000
HELDOUT_TENTHS = 1
"""Tenths of all questions, or of all files, that are held out."""

Count = Annotated[int, msgspec.Meta(ge=1, le=MAX_ITEMS)]
Digits = Annotated[int, msgspec.Meta(ge=2, le=9)]


class ArithmeticOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    seed: int = 0
    items: Count = 20_000
    digits_min: Digits = 2
    digits_max: Digits = 3
    operations: Annotated[tuple[Literal["+", "-"], ...], msgspec.Meta(min_length=1)] = ("+", "-")
    split: Split = "train"

    def __post_init__(self) -> None:
        if self.digits_max < self.digits_min:
            raise ValueError("digits_max must not be less than digits_min")


class StdlibOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    items: Count = 5_000
    """At most so many; the library ends earlier than the largest number."""
    max_chars: Annotated[int, msgspec.Meta(ge=100, le=100_000)] = 2_000
    split: Split = "train"
    python: str = ""
    """The version whose library it is; filled in, and refused where another one runs."""


class Generator(msgspec.Struct, frozen=True, kw_only=True):
    """A named source of items. `make` takes complete options."""

    name: str
    format: str
    options: type[msgspec.Struct]
    make: Callable[[Any], Iterator[Item]]
    description: str


def complete_options(name: str, options: JsonObject) -> JsonObject:
    """The options with every default filled in. Raises `BadInput` for what the generator does not take."""
    generator = find(name)
    complete: JsonObject = msgspec.json.decode(msgspec.json.encode(_read_options(generator, options)))
    return complete


def generate(name: str, options: JsonObject) -> Iterator[Item]:
    """The items of a named generator. Raises `BadInput` before the first item, never between."""
    generator = find(name)
    return generator.make(_read_options(generator, options))


def find(name: str) -> Generator:
    if name not in GENERATORS:
        raise BadInput("$.generator", f"{name!r} is none of {', '.join(sorted(GENERATORS))}")
    return GENERATORS[name]


def _read_options(generator: Generator, options: JsonObject) -> msgspec.Struct:
    read = convert(options, generator.options, "$.options")
    if isinstance(read, ArithmeticOptions):
        _check_room(read)
    if isinstance(read, StdlibOptions):
        return _of_running_python(read)
    return read


# arithmetic


def arithmetic(options: ArithmeticOptions) -> Iterator[Item]:
    """Distinct questions in the order in which the seed draws them."""
    draw = random.Random(options.seed)
    seen: set[tuple[str, int, int]] = set()
    while len(seen) < options.items:
        question = _draw(draw, options)
        if question in seen or _split_of(_identity(*question)) != options.split:
            continue
        seen.add(question)
        yield _trace(*question)


def _draw(draw: random.Random, options: ArithmeticOptions) -> tuple[str, int, int]:
    operation = options.operations[int(draw.random() * len(options.operations))]
    left, right = _operand(draw, options), _operand(draw, options)
    if operation == "-" and left < right:
        left, right = right, left
    return operation, left, right


def _operand(draw: random.Random, options: ArithmeticOptions) -> int:
    """Each number of digits is as likely as the next."""
    digits = options.digits_min + int(draw.random() * (options.digits_max - options.digits_min + 1))
    smallest: int = 10 ** (digits - 1)
    return smallest + int(draw.random() * 9 * smallest)


def _identity(operation: str, left: int, right: int) -> str:
    """The same for 17+25 and 25+17, so that neither gives the other away."""
    return f"{max(left, right)}{operation}{min(left, right)}"


def _trace(operation: str, left: int, right: int) -> Item:
    if operation == "+":
        steps, answer = _addition(left, right), left + right
    else:
        steps, answer = _subtraction(left, right), left - right
    return identified(Trace(prompt=f"{left}{operation}{right}=", steps=tuple(steps), answer=str(answer)))


def _addition(left: int, right: int) -> Iterator[str]:
    """One line a column, from the right: `7+5+0=12`, where the 0 was carried in and the 1 is carried on."""
    carry = 0
    while left or right or carry:
        carried, digit = divmod(left % 10 + right % 10 + carry, 10)
        yield f"{left % 10}+{right % 10}+{carry}={carried}{digit}"
        left, right, carry = left // 10, right // 10, carried


def _subtraction(left: int, right: int) -> Iterator[str]:
    """One line a column, from the right: `2-5-0=17`, a 1 in front is borrowed from the next column."""
    borrow = 0
    while left or right:
        difference = left % 10 - right % 10 - borrow
        borrowed = int(difference < 0)
        yield f"{left % 10}-{right % 10}-{borrow}={borrowed}{difference % 10}"
        left, right, borrow = left // 10, right // 10, borrowed


def _check_room(options: ArithmeticOptions) -> None:
    """Refuses more than nine tenths of all questions there are: drawing the last would take for ever."""
    numbers = 10**options.digits_max - 10 ** (options.digits_min - 1)
    questions = 0
    for operation in set(options.operations):
        questions += numbers * numbers if operation == "+" else numbers * (numbers + 1) // 2
    tenths = HELDOUT_TENTHS if options.split == "heldout" else 10 - HELDOUT_TENTHS
    room = questions * tenths * 9 // 100
    if options.items > room:
        raise BadInput("$.options.items", f"at most {room} with operands of so few digits")


# the standard library


def stdlib(options: StdlibOptions) -> Iterator[Item]:
    """Whole lines of each file, in sorted order of the files; a text belongs to its first file alone."""
    seen: set[str] = set()
    made = 0
    for file in _library_files():
        is_wanted = _split_of(file.as_posix()) == options.split
        for text in _pieces(_library() / file, options.max_chars):
            item = identified(Text(text=text))
            if item.id in seen:
                continue
            seen.add(item.id)
            if is_wanted:
                made += 1
                yield item
            if made == options.items:
                return


def _library() -> Path:
    return Path(sysconfig.get_path("stdlib"))


_NOT_LIBRARY = {
    "site-packages", "dist-packages", "__pycache__", "test", "tests", "idle_test", "lib2to3",
    "encodings",  # tables of characters, hundreds of them nearly alike
}  # fmt: skip


def _library_files() -> list[Path]:
    root = _library()
    files = (file.relative_to(root) for file in root.rglob("*.py"))
    return sorted(
        (file for file in files if not _NOT_LIBRARY.intersection(file.parts)), key=lambda file: file.parts
    )


def _pieces(file: Path, max_chars: int) -> Iterator[str]:
    """Texts of at most `max_chars` that end where a line ends; a longer line is cut."""
    with tokenize.open(file) as lines:
        piece = ""
        for line in lines:
            if piece and len(piece) + len(line) > max_chars:
                yield from _worth_keeping(piece)
                piece = ""
            piece += line[:max_chars]
        yield from _worth_keeping(piece)


def _worth_keeping(piece: str) -> Iterator[str]:
    if piece.strip():
        yield piece


def _of_running_python(options: StdlibOptions) -> StdlibOptions:
    running = platform.python_version()
    if options.python not in ("", running):
        raise BadInput("$.options.python", f"{options.python!r} was asked for, {running} is running")
    return msgspec.structs.replace(options, python=running)


def _split_of(identity: str) -> Split:
    tenth = hashlib.sha256(identity.encode()).digest()[0] * 10 // 256
    return "heldout" if tenth < HELDOUT_TENTHS else "train"


GENERATORS = {
    generator.name: generator
    for generator in (
        Generator(
            name="arithmetic",
            format="traces",
            options=ArithmeticOptions,
            make=arithmetic,
            description="Additions and subtractions with their column-wise working.",
        ),
        Generator(
            name="stdlib",
            format="text",
            options=StdlibOptions,
            make=stdlib,
            description="The source text of the running Python's standard library.",
        ),
    )
}
