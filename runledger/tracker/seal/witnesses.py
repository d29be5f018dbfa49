"""All seals that bear witness to a log, those in its database and those outside, the smallest first."""

from __future__ import annotations

import heapq
from array import array
from collections import deque
from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import Engine

from runledger.tracker.events.log import LogRestored
from runledger.tracker.seal.errors import NoteInvalid
from runledger.tracker.seal.notes import PublicKey
from runledger.tracker.seal.place import Name, Place
from runledger.tracker.seal.restores import is_lost
from runledger.tracker.seal.rows import open_row, stored_seals
from runledger.tracker.seal.seal import MOST_LEAVES, Seal, read_seal

IN_DATABASE = "in the database"
OUTSIDE = "outside"


class Witness(msgspec.Struct, frozen=True, kw_only=True):
    """A seal and where it lies; where it cannot be trusted, why."""

    size: int
    where: str
    seal: Seal | None = None
    problem: str | None = None


class Witnesses:
    """To be taken one by one, or looked at ahead."""

    def __init__(self, *sources: Iterator[Witness]) -> None:
        self._merged = heapq.merge(*sources, key=lambda witness: witness.size)
        self._ahead: deque[Witness] = deque()
        self._look()

    @property
    def next(self) -> Witness | None:
        """The one that will be taken; None after the last."""
        return self._peek(0)

    @property
    def next_size(self) -> int:
        """How many events that one covers; 0 after the last."""
        return self._next_size

    def take(self) -> Witness:
        """The next one. There must be one."""
        witness = self._ahead.popleft()
        self._look()
        return witness

    def _look(self) -> None:
        first = self._peek(0)
        self._next_size = 0 if first is None else first.size

    def covering(self, position: int) -> Iterator[Seal]:
        """Those ahead, with good signatures, whose own leaves reach from this position or before it on."""
        place = 0
        while (witness := self._peek(place)) is not None:
            place += 1
            if witness.size - MOST_LEAVES >= position:
                return
            if witness.seal is not None and witness.seal.base < position:
                yield witness.seal

    def _peek(self, place: int) -> Witness | None:
        while len(self._ahead) <= place:
            witness = next(self._merged, None)
            if witness is None:
                return None
            self._ahead.append(witness)
        return self._ahead[place]


def in_database(engine: Engine, log_id: str, keys: Sequence[PublicKey], until: int) -> Iterator[Witness]:
    """Of up to `until` events: what is sealed meanwhile is another affair."""
    for row in stored_seals(engine):
        if row.size > until:
            return
        try:
            seal, _ = open_row(row, log_id, keys)
        except NoteInvalid as problem:
            yield Witness(size=row.size, where=IN_DATABASE, problem=str(problem))
        else:
            yield Witness(size=row.size, where=IN_DATABASE, seal=seal)


class Outside:
    """The seals of a place, but for those whose loss a restore explains."""

    def __init__(self, place: Place, restores: Sequence[LogRestored]) -> None:
        self._place = place
        self._times, self._sizes = array("q"), array("q")
        self.lost = 0
        for name in place.names():
            if is_lost(name, restores):
                self.lost += 1
            else:
                self._times.append(name.sealed_at)
                self._sizes.append(name.size)

    def __len__(self) -> int:
        return len(self._times)

    def witnesses(self, log_id: str, keys: Sequence[PublicKey]) -> Iterator[Witness]:
        for index in sorted(range(len(self)), key=self._sizes.__getitem__):
            name = Name(self._times[index], self._sizes[index])
            try:
                seal = read_seal(self._place.read(name), log_id, keys)
            except NoteInvalid as problem:
                yield Witness(size=name.size, where=OUTSIDE, problem=str(problem))
                continue
            if (seal.size, seal.sealed_at) != (name.size, name.moment):
                yield Witness(size=name.size, where=OUTSIDE, problem="it bears the name of another")
            else:
                yield Witness(size=name.size, where=OUTSIDE, seal=seal)
