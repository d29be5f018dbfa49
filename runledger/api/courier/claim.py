"""An attempt's place at the tracker: its number there and its lease, taken again wherever that is lost."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from runledger.api.answers import AttemptAnswer
from runledger.api.courier.apart import (
    NOT_ON_LINE,
    must_stand_apart,
    own_run_id,
    own_tags,
)
from runledger.api.courier.door import Door, Holding, moment
from runledger.api.courier.errors import LeaseLost, RefusedFact, StartOver, Unknown
from runledger.api.tracking.folders import AttemptFolder, PlaceFile, RunFolder, write_file

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Claim:
    """For any number of threads; each brings its own door. `take` comes first."""

    def __init__(
        self, run: RunFolder, attempt: AttemptFolder, lease_seconds: float, run_id: str | None = None
    ) -> None:
        """`run_id` is of the run that the attempt before was told as, where that was not its own."""
        self._run = run.read()
        self._attempt = attempt.read()
        self._folder = attempt
        place = attempt.read_place()
        self.run_id = (place.run_id if place else None) or run_id or self._run.run_id
        """The run as whose attempt it is told."""
        self._from_nothing = False
        self._lease_seconds = lease_seconds
        self._lock = threading.Lock()
        self._answer: AttemptAnswer | None = None

    @property
    def answer(self) -> AttemptAnswer:
        assert self._answer is not None
        return self._answer

    @property
    def is_held(self) -> bool:
        """Whether the attempt may tell facts. Otherwise its telemetry alone still counts."""
        return self.answer.epoch > 0

    @property
    def holding(self) -> Holding:
        """An attempt without a lease speaks in an epoch that is over."""
        answer = self.answer
        return Holding(run_id=answer.run_id, attempt=answer.attempt, epoch=max(answer.epoch, 1))

    def take(self, door: Door) -> AttemptAnswer:
        """Begin the attempt, or go on with it. Raises `RefusedFact` where it may not be."""
        with self._lock:
            return self._take(door)

    @property
    def is_apart(self) -> bool:
        """Whether it is told as an attempt of another run than it names."""
        return self.run_id != self._run.run_id

    def stand_apart(self, refusal: RefusedFact) -> bool:
        """`take` was refused: whether it is to be tried once more, otherwise."""
        if self.is_apart:  # that run may not have come to where this attempt began either
            was_from_nothing, self._from_nothing = self._from_nothing, refusal.kind == NOT_ON_LINE
            return self._from_nothing and not was_from_nothing
        if not must_stand_apart(self._attempt, refusal):
            return False
        self.run_id = own_run_id(self._run, self._attempt)
        return True

    def tell(self, door: Door, action: Callable[[Holding], T]) -> T:
        """Under the lease, taken again where it is lost; `LeaseLost` where it is lost once more.

        What the tracker refuses then is not this fact but the attempt: `StartOver`.
        """
        holding = self.holding
        try:
            return action(holding)
        except LeaseLost as lost:
            logger.warning("%s", lost)
            try:
                self.take_again(door, holding)
            except RefusedFact as refusal:
                raise StartOver(str(refusal)) from refusal
        return action(self.holding)

    def take_again(self, door: Door, lost: Holding) -> None:
        """Unless another thread has done so meanwhile."""
        with self._lock:
            if self.holding == lost:
                self._take(door)

    def remember(self, *, is_shipped: bool = True, is_told: bool = False) -> None:
        """Keep how far it is, as a hint for whoever comes next."""
        with self._lock:
            self._remember(is_shipped=is_shipped, is_told=is_told)

    def _take(self, door: Door) -> AttemptAnswer:
        answer = self._answer = self._start(door)
        self._remember()
        logger.info(
            "attempt %d is attempt %d of run %s in epoch %d",
            self._attempt.number,
            answer.attempt,
            answer.run_id,
            answer.epoch,
        )
        return answer

    def _start(self, door: Door) -> AttemptAnswer:
        """A tracker that does not know the run is asked for it first."""
        try:
            return self._start_attempt(door)
        except Unknown:
            pass
        door.request_run(
            run_id=self.run_id,
            experiment=self._run.experiment,
            name=self._run.name,
            params=self._run.params,
            tags=own_tags(self._run) if self.is_apart else self._run.tags,
            occurred_at=moment(self._run.created_at),
        )
        return self._start_attempt(door)

    def _start_attempt(self, door: Door) -> AttemptAnswer:
        return door.start(
            self.run_id,
            self._attempt.worker,
            lease_seconds=self._lease_seconds,
            resume=self._attempt.resume and not self._from_nothing,
            resumed_from=None if self._from_nothing else self._attempt.resumed_from,
            meant=self._run if self._attempt.number == 1 and not self.is_apart else None,
            occurred_at=moment(self._attempt.started_at),
        )

    def _remember(self, *, is_shipped: bool = False, is_told: bool = False) -> None:
        """Never forgets what was reached. A disk that refuses is no reason to stop shipping."""
        known = self._folder.read_place()
        place = PlaceFile(
            attempt=self.answer.attempt,
            epoch=self.answer.epoch,
            is_shipped=is_shipped or (known is not None and known.is_shipped),
            is_told=is_told or (known is not None and known.is_told),
            run_id=self.run_id if self.is_apart else None,
        )
        if place == known:
            return
        try:
            write_file(self._folder.place, place)
        except OSError as problem:
            logger.error("%s: %s", self._folder.place, problem)
