"""Seals what is appended: a consumer of the log whose cursor is the newest seal.

A seal is written outside first and then as a row. A sealer that was killed in between finds its own seal
outside, and takes it over if the log still bears it out. It signs nothing while the log contradicts what
was sealed before, here or outside: that is for people to look into, and for `runledger restored` to
explain. One at a time: each seal is made under a lease, which its row gives back in the same transaction.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from runledger.tracker.envelope import MICROSECOND, from_micros, to_micros
from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.seal import rows
from runledger.tracker.seal.errors import Contradicted, NoteInvalid, SealTakenOver
from runledger.tracker.seal.leaves import leaves_between
from runledger.tracker.seal.merkle import EMPTY_ROOT, HASH_BYTES, Frontier
from runledger.tracker.seal.notes import PublicKey, public_key_of
from runledger.tracker.seal.place import Name, Place, name_of
from runledger.tracker.seal.restores import restores_of
from runledger.tracker.seal.rows import SealRow
from runledger.tracker.seal.seal import MOST_LEAVES, Seal, read_seal, write_seal
from runledger.tracker.store import leases
from runledger.tracker.store.engine import write
from runledger.tracker.store.log import Log

logger = logging.getLogger(__name__)

LEASE = "sealer"
LEASE_SECONDS = 15.0
POLL_SECONDS = 1.0
REFUSED_SECONDS = 10.0
"""Rest after a contradiction: somebody may have explained it meanwhile."""
LONGEST_BACK_OFF_SECONDS = 30.0


class Tip(msgspec.Struct, frozen=True):
    """Where the next seal goes on: the newest row, its tree, and the time that no later seal may precede."""

    size: int
    root: bytes
    last_leaf: bytes
    frontier: Frontier
    sealed_at: datetime


class Sealer:
    """For one thread. `key` signs, `place` is where the copies go; seals by `trusted` keys are built on."""

    def __init__(
        self,
        log: Log,
        place: Place,
        key: Ed25519PrivateKey,
        *,
        trusted: Sequence[PublicKey] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        most_leaves: int = MOST_LEAVES,
    ) -> None:
        self._log = log
        self._engine: Engine = log.engine
        self._place = place
        self._key = key
        self._keys = [public_key_of(log.log_id, key), *trusted]
        self._clock = clock
        self._most_leaves = most_leaves
        self._tip: Tip | None = None
        self._refused = False

    def run(self, stop: threading.Event, seal_seconds: float) -> None:
        """Until `stop` is set. A database or a place that is away is waited for."""
        back_off = POLL_SECONDS
        while not stop.is_set():
            rest = POLL_SECONDS
            try:
                sealed = self.seal()
                if sealed is not None:
                    rest = seal_seconds if sealed.size >= self._log.head() else 0.0
            except Contradicted as problem:
                self._refuse(str(problem))
                rest = REFUSED_SECONDS
            except StoreUnavailable as problem:
                logger.warning("nothing is sealed at the moment: %s", problem)
                stop.wait(back_off)
                back_off = min(2 * back_off, LONGEST_BACK_OFF_SECONDS)
                continue
            back_off = POLL_SECONDS
            stop.wait(rest)

    def seal(self) -> Seal | None:
        """One more seal, of what has come since the last; None where there is nothing or another is at work.

        Raises `Contradicted` where the log is not the one that was sealed, and `StoreUnavailable`.
        """
        head = self._log.head()
        if self._tip is not None and head == self._tip.size and not self._refused:
            return None
        epoch = self._claim()
        if epoch is None:
            return None
        try:
            return self._seal(epoch)
        except SealTakenOver as problem:
            logger.info("%s", problem)
            self._tip = None
            return None
        finally:
            self._release(epoch)

    def _claim(self) -> int | None:
        holder = f"{socket.gethostname()}:{os.getpid()}"
        with write(self._engine) as conn:
            return leases.claim(conn, LEASE, 1, holder, LEASE_SECONDS)

    def _release(self, epoch: int) -> None:
        """Nothing where the seal's own transaction has done so; a lease that stays runs out."""
        with suppress(StoreUnavailable), write(self._engine) as conn:
            leases.release(conn, LEASE, epoch)

    def _seal(self, epoch: int) -> Seal | None:
        row, head = rows.newest(self._engine), self._log.head()
        tip, stored = self._tip, (row.size, row.root) if row else (0, EMPTY_ROOT)
        if tip is None or (tip.size, tip.root) != stored:
            tip, adopted = self._reconcile(row, epoch)
            if adopted is not None:
                return adopted
        if head < tip.size:
            raise Contradicted(head + 1, f"it is missing, and {tip.size} events were sealed")
        self._tip, self._refused = tip, False
        return self._extend(tip, head, epoch) if head > tip.size else None

    def _extend(self, tip: Tip, head: int, epoch: int) -> Seal:
        """Over the next events, a bounded number of them."""
        until = min(head, tip.size + self._most_leaves)
        leaves = list(leaves_between(self._engine, max(tip.size - 1, 0), until))
        if tip.size and leaves.pop(0) != tip.last_leaf:
            raise Contradicted(tip.size, "the event is not the one that was sealed")
        frontier = tip.frontier.copy()
        for leaf in leaves:
            frontier.push(leaf)
        seal = Seal(
            log_id=self._log.log_id,
            size=until,
            root=frontier.root(),
            sealed_at=max(_now(self._clock), tip.sealed_at + MICROSECOND),
            leaves=b"".join(leaves),
        )
        note = write_seal(seal, self._key)
        self._place.write(name_of(seal), note)
        self._store(seal, frontier, note, epoch)
        return seal

    def _store(self, seal: Seal, frontier: Frontier, note: str, epoch: int) -> None:
        with write(self._engine) as conn:
            if not leases.release(conn, LEASE, epoch):
                raise SealTakenOver(f"another sealer was at work on {seal.size} events")
            rows.add_seal(conn, seal, frontier.to_bytes(), note)
        self._tip = Tip(seal.size, seal.root, seal.leaves[-HASH_BYTES:], frontier, seal.sealed_at)

    def _reconcile(self, row: SealRow | None, epoch: int) -> tuple[Tip, Seal | None]:
        """The newest row and what lies outside, brought together; and a seal outside that was taken over."""
        tip, note = self._tip_of(row)
        newest = self._place.newest()
        if newest is None or newest.sealed_at < to_micros(tip.sealed_at):
            self._copy_outside(newest)
            return tip, None
        if newest == Name(to_micros(tip.sealed_at), tip.size) and self._place.read(newest) == note:
            return tip, None
        outside, found = self._open(newest)
        problem = self._contradiction(tip, outside)
        if problem is None:
            self._store(outside, self._grown(tip, outside.size), found, epoch)
            return tip, outside
        if not any(
            each.lost_root == outside.root.hex() for each in restores_of(self._engine, self._log.log_id)
        ):
            raise problem
        return msgspec.structs.replace(tip, sealed_at=outside.sealed_at), None

    def lost(self) -> tuple[int, Seal] | None:
        """Up to where the last row reaches, and the newest seal outside, where the log contradicts it."""
        tip, _ = self._tip_of(rows.newest(self._engine))
        newest = self._place.newest()
        if newest is None or newest.sealed_at <= to_micros(tip.sealed_at):
            return None
        outside, _ = self._open(newest)
        return None if self._contradiction(tip, outside) is None else (tip.size, outside)

    def _tip_of(self, row: SealRow | None) -> tuple[Tip, str]:
        """Raises `Contradicted` for a row that is not as it was written."""
        if row is None:
            return Tip(0, EMPTY_ROOT, b"", Frontier(), from_micros(0)), ""
        try:
            seal, frontier = rows.open_row(row, self._log.log_id, self._keys)
        except NoteInvalid as problem:
            raise Contradicted(row.size, f"the seal in the database does not hold: {problem}") from problem
        return Tip(row.size, row.root, seal.leaves[-HASH_BYTES:], frontier, seal.sealed_at), row.note

    def _open(self, name: Name) -> tuple[Seal, str]:
        note = self._place.read(name)
        try:
            seal = read_seal(note, self._log.log_id, self._keys)
        except NoteInvalid as problem:
            raise Contradicted(name.size, f"its seal {name} outside does not hold: {problem}") from problem
        return seal, note

    def _contradiction(self, tip: Tip, outside: Seal) -> Contradicted | None:
        """Why the log is not the one that this seal covers; None where it is."""
        head = self._log.head()
        if outside.size > head:
            return Contradicted(head + 1, f"it is missing, and {outside.size} events were sealed outside")
        if outside.size <= tip.size:
            return Contradicted(outside.size, "a later seal outside covers fewer events")
        if self._grown(tip, outside.size).root() != outside.root:
            return Contradicted(tip.size + 1, f"from here to {outside.size} something is not as sealed")
        return None

    def _grown(self, tip: Tip, size: int) -> Frontier:
        frontier = tip.frontier.copy()
        for leaf in leaves_between(self._engine, tip.size, size):
            frontier.push(leaf)
        return frontier

    def _copy_outside(self, newest: Name | None) -> None:
        """What was sealed while the place was another, or was lost there."""
        for row in rows.stored_seals(self._engine):
            if newest is None or row.sealed_at > newest.sealed_at:
                self._place.write(Name(row.sealed_at, row.size), row.note)

    def _refuse(self, problem: str) -> None:
        if not self._refused:
            logger.error("nothing is sealed any more: %s", problem)
        self._refused, self._tip = True, None
        with suppress(StoreUnavailable):
            rows.note_problem(self._engine, problem)


def _now(clock: Callable[[], datetime]) -> datetime:
    return from_micros(to_micros(clock()))
