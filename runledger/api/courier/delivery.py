"""Brings a run to its tracker: attempt after attempt, each to its end before the next.

Everything may be repeated after a kill at any moment: the tracker says where to go on, and what lies on
the disk beside the journals is a hint.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from runledger.api.courier.aside import SetAside
from runledger.api.courier.claim import Claim
from runledger.api.courier.door import Door, Ending
from runledger.api.courier.ending import endings
from runledger.api.courier.errors import (
    AttemptOver,
    Behind,
    Denied,
    LeaseLost,
    NotReachable,
    RefusedFact,
    StartOver,
    Unknown,
)
from runledger.api.courier.facts import Facts
from runledger.api.courier.heartbeat import Heartbeat
from runledger.api.courier.notices import Notices
from runledger.api.courier.patience import Patience
from runledger.api.courier.tally import Tally
from runledger.api.courier.telemetry import Telemetry
from runledger.api.tracking.folders import AttemptFolder, Lock, RunFolder
from runledger.api.tracking.told import read_told
from runledger.tracker.errors import GaveUp
from runledger.tracker.journal import Progress
from runledger.tracker.retrying import Retry
from runledger.tracker.shipping import Shipper

logger = logging.getLogger(__name__)

DENIED_SECONDS = 15.0
IDLE_SECONDS = 0.2
HEARTBEAT_SECONDS = 10.0
"""How long the answer to a heartbeat may take."""
MAX_TRIES = 3
LONGEST_PAUSE_SECONDS = 60.0
UNLOCK_SECONDS = 10.0
"""How long a training may take to let go of its run after its last word."""
FINAL = ("completed", "cancelled")
RUN_OVER = ("run-already-ended",)


class Connect(Protocol):
    """Opens a door to the tracker."""

    def __call__(self, *, on_answer: Callable[[], None], timeout_seconds: float = ...) -> Door: ...


class Delivery:
    """One run's attempts, the last of which may still be trained. For the holder of the courier's lock."""

    def __init__(
        self,
        folder: RunFolder,
        attempts: Sequence[AttemptFolder],
        connect: Connect,
        patience: Patience,
        *,
        lease_seconds: float,
        tally: Tally,
        waits_when_denied: bool,
    ) -> None:
        self._folder = folder
        self._attempts = attempts
        self._connect = connect
        self._patience = patience
        self._lease_seconds = lease_seconds
        self._tally = tally
        self._notices = Notices(attempts[-1])
        self._door = connect(on_answer=self._notices.is_online)
        passing = (NotReachable, Behind, LeaseLost, *((Denied,) if waits_when_denied else ()))
        self._retry = Retry(patience.is_over, *passing, on_failure=self._failed, on_success=patience.moved)
        self._was_set_aside = False
        self._walk_now: Shipper | None = None
        self._walked_bytes = 0
        self.problem = ""
        """What kept it from the tracker last."""
        self.notice = ""
        """As which other run attempts are told, and why; empty where none is."""
        self._run_id: str | None = None
        """That run, once there is one: what follows goes on with it."""

    @property
    def shipped_bytes(self) -> int:
        """Of journals, output and files, also what the tracker had already."""
        walked = self._walk_now.offset if self._walk_now else 0
        return self._walked_bytes + walked + self._tally.output_bytes + self._tally.file_bytes

    def deliver(self) -> None:
        """Returns once all is told. Raises `GaveUp`, and `RefusedFact` where the run itself is refused."""
        try:
            for attempt in self._attempts:
                self._deliver(attempt)
            self._notices.is_done()
            self._clear_away()
        except RefusedFact as refusal:
            self._notices.is_refused(str(refusal), must_stop=refusal.kind in RUN_OVER)
            raise
        finally:
            self._door.close()

    def _deliver(self, attempt: AttemptFolder) -> None:
        aside = SetAside(attempt.refused)
        place = attempt.read_place()
        self._run_id = (place.run_id if place else None) or self._run_id
        if not self._is_told(attempt):
            claim = Claim(self._folder, attempt, self._lease_seconds, self._run_id)
            self._take(claim)
            self._run_id = claim.run_id
            if claim.answer.outcome in (None, "lost"):
                self._ship_and_end(attempt, claim, aside)
            claim.remember(is_told=True)
            self._tally.attempts += 1
        if attempt.journal.exists():
            self._walked_bytes += attempt.journal.stat().st_size
        self._walk_now = None
        self._was_set_aside = self._was_set_aside or len(aside) > 0

    def _take(self, claim: Claim) -> None:
        while True:
            try:
                self._retry(lambda: claim.take(self._door))
            except RefusedFact as refusal:
                was_apart = claim.is_apart
                if not claim.stand_apart(refusal):
                    raise
                if not was_apart:
                    self._say_apart(claim, refusal)
            else:
                return

    def _say_apart(self, claim: Claim, refusal: RefusedFact) -> None:
        self.notice = (
            f"the tracker takes this for no attempt of run {self._folder.run_id} ({refusal}): "
            f"it is kept as run {claim.run_id}"
        )
        logger.warning("%s", self.notice)
        self._notices.is_kept_apart(self.notice)

    def _is_told(self, attempt: AttemptFolder) -> bool:
        """By the hint; where only the end was left to be told, by the tracker.

        Its lease may have expired before that: lost is the true end only of a journal without another.
        """
        place = attempt.read_place()
        if place is None or not place.is_shipped or place.is_told:
            return place is not None and place.is_told
        number = place.attempt
        try:
            answer = self._retry(lambda: self._door.attempt(self._run_id or self._folder.run_id, number))
        except RefusedFact:
            return False
        return answer.outcome is not None and (answer.outcome != "lost" or read_told(attempt).ended is None)

    def _ship_and_end(self, attempt: AttemptFolder, claim: Claim, aside: SetAside) -> None:
        try:
            walk = self._ship_beating(attempt, claim, aside)
            claim.remember(is_shipped=True)
            if claim.is_held:
                self._end(attempt, claim, walk, aside)
        except AttemptOver as over:
            logger.warning("%s", over)

    def _ship_beating(self, attempt: AttemptFolder, claim: Claim, aside: SetAside) -> Shipper:
        """No heartbeat outlasts the journal: it would bring back an attempt that is told lost."""
        is_living = self._is_living(attempt)
        beats = Heartbeat(
            self._connect(timeout_seconds=HEARTBEAT_SECONDS, on_answer=self._notices.is_online),
            claim,
            self._progress,
            self._notices if is_living else None,
        )
        with beats:
            return self._ship_whole(attempt, claim, aside, is_living=is_living)

    def _ship_whole(
        self, attempt: AttemptFolder, claim: Claim, aside: SetAside, *, is_living: bool
    ) -> Shipper:
        """The journal, from its start as often as the tracker has lost its beginning."""
        for tries in itertools.count(1):
            walk = self._walk(attempt, claim, aside)
            if self._ship(walk, is_living=is_living):
                break
            self._pause(tries)
            self._retry(lambda: claim.take(self._door))
        return walk

    def _walk(self, attempt: AttemptFolder, claim: Claim, aside: SetAside) -> Shipper:
        telemetry = Telemetry(self._door, claim, attempt.journal, aside, self._tally)
        facts = Facts(self._door, claim, attempt, aside, self._tally)
        self._walk_now = Shipper(attempt.journal, attempt.output, telemetry, facts, self._retry)
        return self._walk_now

    def _ship(self, walk: Shipper, *, is_living: bool) -> bool:
        """Whether all of the journal is at the tracker; False where it has to be shipped from its start."""
        over = self._patience.has_died if is_living else _set()
        try:
            walk.ship_until(over, or_ended=True, idle_seconds=IDLE_SECONDS)
        except StartOver as behind:
            logger.warning("the journal is shipped once more from its start: %s", behind)
            return False
        if not walk.is_complete:
            raise GaveUp
        return True

    def _progress(self) -> Progress:
        return self._walk_now.progress if self._walk_now else Progress(phase="preparing")

    def _pause(self, tries: int) -> None:
        """Before a journal is shipped once more. A tracker that forgets again and again is left alone."""
        if self._patience.has_died.is_set() and tries > MAX_TRIES:
            raise GaveUp
        if self._patience.is_over.wait(min(2.0**tries, LONGEST_PAUSE_SECONDS)):
            raise GaveUp

    def _end(self, attempt: AttemptFolder, claim: Claim, walk: Shipper, aside: SetAside) -> None:
        for ending in endings(walk.ended, attempt, is_replaced=self._is_replaced(attempt)):
            try:
                self._retry(partial(self._tell_end, claim, ending))
            except AttemptOver:
                raise
            except (StartOver, Unknown) as forgotten:
                logger.warning("the tracker has lost the attempt: %s", forgotten)
                raise GaveUp from forgotten
            except RefusedFact as refusal:
                aside.put(ending, refusal)
            else:
                return

    def _tell_end(self, claim: Claim, ending: Ending) -> None:
        claim.tell(self._door, lambda holding: self._door.end(holding, ending))

    def _is_living(self, attempt: AttemptFolder) -> bool:
        return attempt is self._attempts[-1] and not self._patience.has_died.is_set()

    def _is_replaced(self, attempt: AttemptFolder) -> bool:
        """The next attempt may have begun since."""
        return self._folder.attempts()[-1].number > attempt.number

    def _clear_away(self) -> None:
        """Nothing is needed any more of a run that can never go on."""
        last = self._attempts[-1]
        place = last.read_place()
        if place is None or self._was_set_aside or self._is_replaced(last):
            return
        answer = self._retry(lambda: self._door.attempt(place.run_id or self._folder.run_id, place.attempt))
        lock = Lock(self._folder.lock)
        if answer.status in FINAL and _acquire(lock):
            with contextlib.suppress(OSError):  # whose disk refuses keeps it
                gone = self._folder.path.rename(self._folder.path.with_name(f".{self._folder.run_id}"))
                shutil.rmtree(gone, ignore_errors=True)
            lock.release()

    def _failed(self, error: Exception) -> float | None:
        """How long the tracker wants us to wait, or a person needs."""
        self.problem = str(error)
        if isinstance(error, NotReachable | Denied):
            self._notices.is_offline(str(error))
        if isinstance(error, Denied):
            return DENIED_SECONDS
        return error.retry_after_seconds if isinstance(error, NotReachable) else None


def _acquire(lock: Lock) -> bool:
    deadline = time.monotonic() + UNLOCK_SECONDS
    while not (is_held := lock.acquire()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return is_held


def _set() -> threading.Event:
    over = threading.Event()
    over.set()
    return over
