"""What a tracker would not take, kept beside the journal with the reason, where a person can look at it."""

from __future__ import annotations

import bisect
from pathlib import Path

import msgspec

MAX_CHARS = 10_000
"""Of a record; a damaged one may be of any size."""


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the file."""

    problem: str
    record: str
    batch: int | None = None
    """The number of a batch of points: later ones close up, so it has to be known again."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Kept)


class SetAside:
    """A file of one line each; the same record is kept once, however often it is refused."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = _read(path)
        self._batches = sorted(line.batch for line in self._lines if line.batch is not None)

    def __len__(self) -> int:
        return len(self._lines)

    def has_batch(self, number: int) -> bool:
        return number in self._batches

    def batches_before(self, number: int) -> int:
        return bisect.bisect_left(self._batches, number)

    def put(self, record: object, problem: object, *, batch: int | None = None) -> None:
        line = Kept(problem=str(problem), record=repr(record)[:MAX_CHARS], batch=batch)
        if any(each.record == line.record for each in self._lines):
            return
        with self.path.open("ab") as file:
            file.write(_encoder.encode(line) + b"\n")
        self._lines.append(line)
        if batch is not None:
            bisect.insort(self._batches, batch)


def _read(path: Path) -> list[Kept]:
    """A line that was torn by a kill is written again when its record is refused again."""
    if not path.exists():
        return []
    found = []
    for line in path.read_bytes().splitlines():
        try:
            found.append(_decoder.decode(line))
        except msgspec.DecodeError:
            continue
    return found
