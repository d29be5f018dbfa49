"""Is the log still what was written and sealed? One pass over it in the order of positions.

Every event is hashed anew and followed along its stream, every seal's root is computed anew. The first
position that is affected is named: where a seal's root differs, the leaves that were sealed with it tell
which event it was. Memory is bounded whatever the log's length.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from runledger.tracker.events.log import LogRestored
from runledger.tracker.ids import log_stream
from runledger.tracker.seal.leaves import MISSING, TWICE, leaves_between, unusual_leaf
from runledger.tracker.seal.merkle import Frontier, split_hashes
from runledger.tracker.seal.notes import PublicKey
from runledger.tracker.seal.place import Place
from runledger.tracker.seal.rawlog import RawLog
from runledger.tracker.seal.restores import restores_of
from runledger.tracker.seal.rowcheck import Chains
from runledger.tracker.seal.rows import largest_seal
from runledger.tracker.seal.seal import MOST_LEAVES, Seal, leaf_of
from runledger.tracker.seal.streams import check_streams, streams_of_run
from runledger.tracker.seal.witnesses import IN_DATABASE, OUTSIDE, Outside, Witnesses, in_database
from runledger.tracker.store.engine import read
from runledger.tracker.store.log import Log

Progress = Callable[[int, int], None]
"""Told how many positions of how many have been looked at."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """The first position that is affected, and what is wrong with it in one sentence."""

    position: int
    problem: str


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at and found. Nothing is known of what lies behind a fault."""

    log_id: str
    run_id: str | None
    """The run whose events were looked at; None: all events were."""
    events: int
    """How many events the log holds."""
    sealed: int
    """Up to which position a seal bears witness."""
    sealed_at: datetime | None
    seals_in_database: int
    seals_outside: int | None
    """None: nothing outside of the database was asked."""
    lost_seals: int
    """Outside, of what a restore has lost; `restores` explains them."""
    restores: list[LogRestored]
    fault: Fault | None

    @property
    def unsealed(self) -> int:
        """Events behind the last seal: their hashes fit, but nothing bears witness to them."""
        return self.events - self.sealed


def verify_log(
    log: Log,
    keys: Sequence[PublicKey],
    place: Place | None = None,
    run_id: str | None = None,
    progress: Progress = lambda done, total: None,
) -> Verified:
    """The whole log, or one run: then of other events only their leaves. `place` None: no seals outside.

    Raises `NotFound` for a run that the log does not know, and `StoreUnavailable`.
    """
    raw, restores = RawLog(log.engine), restores_of(log.engine, log.log_id)
    streams = [] if run_id is None else [*streams_of_run(raw, run_id), log_stream(log.log_id)]
    with read(log.engine) as conn:
        sealed = largest_seal(conn)
    outside = None if place is None else Outside(place, restores)
    witnesses = Witnesses(
        in_database(log.engine, log.log_id, keys, sealed),
        iter(()) if outside is None else outside.witnesses(log.log_id, keys),
    )
    walk = _Walk(log.log_id, raw, witnesses)
    found = [walk.run(progress, is_deep=run_id is None), _of_streams(raw, log.log_id, streams)]
    return Verified(
        log_id=log.log_id,
        run_id=run_id,
        events=walk.head,
        sealed=walk.sealed.size if walk.sealed else 0,
        sealed_at=walk.sealed.sealed_at if walk.sealed else None,
        seals_in_database=walk.counts[IN_DATABASE],
        seals_outside=None if outside is None else walk.counts[OUTSIDE],
        lost_seals=outside.lost if outside else 0,
        restores=restores,
        fault=min(filter(None, found), key=lambda each: each.position, default=None),
    )


def _of_streams(raw: RawLog, log_id: str, streams: Iterable[str]) -> Fault | None:
    found = check_streams(raw, log_id, streams)
    return None if found is None else Fault(position=found[0], problem=found[1])


class _Walk:
    """Over all positions, once."""

    def __init__(self, log_id: str, raw: RawLog, witnesses: Witnesses) -> None:
        self._raw = raw
        self._witnesses = witnesses
        self._chains = Chains(log_id, raw.tip)
        self._frontier = Frontier()
        self._recent: deque[bytes] = deque(maxlen=MOST_LEAVES)
        self._recorded_at = 0
        self.head = 0
        self.sealed: Seal | None = None
        self.counts = Counter[str]()

    def run(self, progress: Progress, *, is_deep: bool) -> Fault | None:
        last, self.head, time = self._raw.ends()
        pages = self._raw.pages if is_deep else self._raw.leaf_pages
        for rows, end in pages(0, self.head):
            fault = self._check_page(rows, end, is_deep=is_deep)
            if fault is not None:
                return fault
            progress(end, self.head)
        if last > self.head:
            return self._fault(self.head + 1, "it stands behind the head of the log")
        if self._recorded_at != time:
            return self._fault(self.head, "the head of the log bears another time")
        return self._missing()

    def _check_page(self, rows: Iterable[Any], end: int, *, is_deep: bool) -> Fault | None:
        for row in rows:
            position = self._frontier.size + 1
            if row.position != position:
                return self._fault(position, TWICE if row.position < position else MISSING)
            problem = self._chains.check(row) if is_deep else unusual_leaf(row.recorded_at, row.hash)
            if problem is None and row.recorded_at < self._recorded_at:
                problem = "it was recorded before the event before it"
            if problem is not None:
                return self._fault(position, problem)
            self._recorded_at = row.recorded_at
            leaf = leaf_of(position, row.recorded_at, row.hash)
            self._frontier.push(leaf)
            self._recent.append(leaf)
            if position == self._witnesses.next_size and (fault := self._compare(position)):
                return fault
        return self._fault(self._frontier.size + 1, MISSING) if self._frontier.size < end else None

    def _compare(self, size: int) -> Fault | None:
        """With all seals of that many events."""
        root = self._frontier.root()
        while self._witnesses.next_size == size:
            witness = self._witnesses.take()
            seal = witness.seal
            if seal is None:
                return self._fault(size, f"its seal {witness.where} does not hold: {witness.problem}")
            if seal.root != root:
                return self._locate(seal)
            self.sealed = seal
            self.counts[witness.where] += 1
        return None

    def _locate(self, seal: Seal) -> Fault:
        """What a root that differs comes from."""
        itself = Fault(position=seal.size, problem="its seal has another root than its own leaves")
        return self._blame(seal, seal.size) or itself

    def _missing(self) -> Fault | None:
        """Of what is sealed, nothing may lie behind the head."""
        witness = self._witnesses.next
        if witness is None:
            return None
        problem = f"it is missing: a seal {witness.where} covers {witness.size} events"
        return self._fault(self.head + 1, problem)

    def _fault(self, position: int, problem: str) -> Fault:
        """At a position; unless the seals ahead tell of an earlier one, whose own hash was made to fit."""
        for seal in self._witnesses.covering(position):
            earlier = self._blame(seal, position - 1)
            if earlier is not None:
                return earlier
        return Fault(position=position, problem=problem)

    def _blame(self, seal: Seal, until: int) -> Fault | None:
        """The first position up to `until` that is not as this seal has it; None where all are."""
        first = self.sealed.size + 1 if self.sealed else 1
        if first <= seal.base and not self._has_sealed_base(seal):
            return Fault(position=first, problem=f"from here to {seal.base} something is not as sealed")
        position = self._first_difference(seal, until)
        if position is None:
            return None
        when = f"{seal.sealed_at:%Y-%m-%d %H:%M:%S} UTC"
        return Fault(position=position, problem=f"the event is not the one that was sealed at {when}")

    def _has_sealed_base(self, seal: Seal) -> bool:
        """Whether all before the seal's own leaves is as it was; asked where no other seal can tell."""
        frontier = Frontier()
        for leaf in leaves_between(self._raw.engine, 0, seal.base):
            frontier.push(leaf)
        for leaf in split_hashes(seal.leaves):
            frontier.push(leaf)
        return frontier.root() == seal.root

    def _first_difference(self, seal: Seal, until: int) -> int | None:
        """The first position up to `until` whose leaf is not the one that was sealed."""
        ours = list(self._recent)
        before = self._frontier.size - len(ours)
        first, last = max(before, seal.base) + 1, min(self._frontier.size, seal.size, until)
        positions = range(first, last + 1)
        return next((each for each in positions if ours[each - before - 1] != seal.leaf(each)), None)
