"""The loop: read on from the cursor, bring the runs that were touched up to date, save the cursor.

At-least-once, and one sink at a time by a lease. A run that MLflow refuses is quarantined with the
reason and tried again when it changes, and now and then; the others go on. While MLflow does not answer
the sink waits, backing off: the cursor stays, nothing is lost, nobody else is held up.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import msgspec

from runledger.projections.mlflow import prometheus
from runledger.projections.mlflow.driver import Mirror, MlflowDriver
from runledger.projections.mlflow.errors import (
    MirrorGone,
    MlflowError,
    MlflowRefused,
    MlflowUnavailable,
    TakenOver,
)
from runledger.projections.mlflow.experiments import Experiments
from runledger.projections.mlflow.state import CURSOR, Progress, RunState, SinkState
from runledger.projections.mlflow.writing import RunWriter, Subject
from runledger.tracker.envelope import Recorded
from runledger.tracker.errors import CursorMoved, StoreUnavailable, TrackerError, UnknownEvent
from runledger.tracker.ids import RunId, id_of, kind_of, telemetry_ids
from runledger.tracker.store.log import Log
from runledger.tracker.subscription import await_growth

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

STOPPING = (TakenOver, CursorMoved, StoreUnavailable, UnknownEvent)
"""What concerns more than one run: the process begins anew, or stops loudly."""
KINDS = frozenset({"run", "telemetry", "experiment"})
PAGE = 500
STRIKES = 3
"""How often a run may fail with MLflow's own fault, while MLflow answers, before the others go on."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait, in seconds."""

    poll: float = 0.2
    look: float = 1.0
    """How often, while the log does not grow, for runs whose time to be tried again has come."""
    ping: float = 10.0
    first_back_off: float = 0.5
    longest_back_off: float = 5.0
    first_retry: float = 30.0
    longest_retry: float = 3_600.0


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """Ids in the order of the log."""

    runs: dict[RunId, None]
    experiments: dict[str, None]


class Sink:
    """`run` until `stop` is set, for as long as the lease is held; raises what is not MLflow's affair."""

    def __init__(
        self,
        log: Log,
        driver: MlflowDriver,
        state: SinkState,
        experiments: Experiments,
        writer: RunWriter,
        *,
        clock: Callable[[], datetime],
        pace: Pace | None = None,
    ) -> None:
        self._log = log
        self._driver = driver
        self._state = state
        self._experiments = experiments
        self._writer = writer
        self._clock = clock
        self._pace = pace or Pace()
        self._asked_at = clock()
        self._problem: str | None = None
        self._was_away = False

    def run(self, stop: threading.Event) -> None:
        self.begin(stop)
        position = self.position()
        while not stop.is_set():
            reached = self.step(position, stop)
            if self._was_away:
                self.begin(stop)
                reached = self.position()
            elif reached == position:
                await_growth(
                    self._log, position, stop, poll_seconds=self._pace.poll, longest_seconds=self._pace.look
                )
            position = reached

    def begin(self, stop: threading.Event) -> None:
        """With no memory of its own, or a wrong one, the sink looks at what MLflow holds of this log."""
        self._was_away = False
        if not self._state.is_new() and self._persist(self._is_as_remembered, stop):
            self._state.retry_all(self._clock())
            return
        found = self._persist(self._look_around, stop)
        if found is not None:
            self._state.begin(found, self._clock())

    def position(self) -> int:
        """Where the cursor stands."""
        return self._state.position()

    def step(self, position: int, stop: threading.Event) -> int:
        """One page, and the quarantined runs whose time has come. The position reached."""
        page = self._log.tail(position, limit=PAGE, kinds=KINDS)
        touched = _touched(page.events)
        for experiment_id in touched.experiments:
            self._bring_experiment(experiment_id, stop)
        due = [RunId(run_id) for run_id in self._state.due(self._clock())]
        self._bring([*touched.runs, *(run_id for run_id in due if run_id not in touched.runs)], stop)
        if stop.is_set():
            return position
        if page.scanned > position:
            self._state.advance(position, page.scanned)
        elif (stored := self.position()) != position:
            logger.info("the cursor was set to %d", stored)
            raise CursorMoved(CURSOR, position)
        prometheus.POSITION.set(page.scanned)
        self._ask_now_and_then()
        return page.scanned

    def _is_as_remembered(self) -> bool:
        """Whether MLflow has a run that we know of. If not, it was emptied, and all is told again."""
        known = self._state.any_mirror()
        try:
            if known is not None:
                self._driver.held(known)
        except MirrorGone:
            logger.warning("MLflow has lost run %s: looking at what it holds", known)
            self._state.forget()
            return False
        return True

    def _look_around(self) -> list[RunState]:
        """One mirror of each run; others of the same run go into the trash."""
        ours: dict[str, Mirror] = {}
        for mirror in list(self._driver.mirrors()):
            if mirror.log_id != self._log.log_id:
                continue
            if ours.setdefault(mirror.run_id, mirror) is not mirror:
                self._driver.trash_run(mirror.id)
        return [_found(mirror) for mirror in ours.values()]

    def _bring_experiment(self, experiment_id: str, stop: threading.Event) -> None:
        """One that cannot be brought into step now shows up again with the first of its runs."""
        self._experiments.forget(experiment_id)
        try:
            self._persist(lambda: self._experiments.ensure(experiment_id), stop)
        except MlflowError as refused:
            logger.warning("MLflow would not have experiment %s: %s", experiment_id, refused)

    def _bring(self, run_ids: Iterable[RunId], stop: threading.Event) -> None:
        """First what is quick, of all of them; then the files."""
        subjects: list[Subject] = []
        for run_id in run_ids:
            subject = self._guarded(run_id, partial(self._writer.write, run_id), stop)
            if subject is not None:
                subjects.append(subject)
            if subject is not None and subject.is_new:
                self._bring(map(RunId, self._state.children(run_id)), stop)
        for subject in subjects:
            self._guarded(RunId(subject.content.run_id), partial(self._finish, subject), stop)

    def _finish(self, subject: Subject) -> None:
        """The blobs' store being away concerns this run alone."""
        try:
            self._writer.finish(subject)
        except MirrorGone:
            subject = self._writer.write(subject.facts.run_id)
            self._writer.finish(subject)
        except StoreUnavailable as problem:
            raise MlflowRefused(f"its files cannot be read: {problem}") from problem
        if subject.state.problem is not None:
            self._state.release(subject.state)

    def _guarded(self, run_id: RunId, action: Callable[[], Result], stop: threading.Event) -> Result | None:
        """What fails for this run alone is quarantined, and the others go on."""
        try:
            return self._persist(action, stop)
        except STOPPING:
            raise
        except (MlflowError, TrackerError) as problem:
            logger.warning("MLflow would not have run %s: %s", run_id, problem)
            self._quarantine(run_id, str(problem))
        except Exception as problem:  # a fault of ours: kept with the run, tried again, and nobody waits
            logger.exception("run %s cannot be told to MLflow", run_id)
            self._quarantine(run_id, f"{type(problem).__name__}: {problem}")
        return None

    def _persist(self, action: Callable[[], Result], stop: threading.Event) -> Result | None:
        """Again and again while MLflow does not answer. None only where `stop` was set."""
        strikes, back_off = 0, self._pace.first_back_off
        while not stop.is_set():
            try:
                result = action()
            except MlflowUnavailable as problem:
                strikes += self._answers(problem)
                if strikes == STRIKES:
                    raise
                stop.wait(back_off)
                back_off = min(2 * back_off, self._pace.longest_back_off)
            else:
                if self._problem:
                    logger.info("MLflow answers")
                self._note("")
                return result
        return None

    def _answers(self, problem: MlflowUnavailable) -> bool:
        """Whether MLflow is there all the same; then it is this call that it fails at."""
        try:
            self._driver.ping()
        except MlflowUnavailable:
            self._note_absence(problem)
            return False
        return True

    def _note_absence(self, problem: MlflowUnavailable) -> None:
        """When it is back it may be another: what is remembered must be looked at again."""
        if not self._problem:
            logger.warning("waiting for MLflow: %s", problem)
        self._was_away = True
        self._experiments.forget_all()
        self._note(str(problem))

    def _quarantine(self, run_id: RunId, reason: str) -> None:
        prometheus.REFUSED.inc()
        state = self._state.load(run_id)
        wait = min(self._pace.first_retry * 2**state.failures, self._pace.longest_retry)
        state.problem, state.failures = reason.replace("\0", ""), state.failures + 1
        state.retry_at = self._clock() + timedelta(seconds=wait)
        self._state.save(state)

    def _ask_now_and_then(self) -> None:
        if self._clock() - self._asked_at < timedelta(seconds=self._pace.ping):
            return
        try:
            self._driver.ping()
        except MlflowUnavailable as problem:
            self._note_absence(problem)
        else:
            self._note("")

    def _note(self, problem: str) -> None:
        """Stored when it changes, and now and then."""
        now = self._clock()
        prometheus.REACHABLE.set(not problem)
        if problem != self._problem or now - self._asked_at >= timedelta(seconds=self._pace.ping):
            self._state.note(now, problem)
            self._problem, self._asked_at = problem, now


def _touched(page: Sequence[Recorded]) -> Touched:
    runs: dict[RunId, None] = {}
    experiments: dict[str, None] = {}
    for recorded in page:
        match kind_of(recorded.stream):
            case "telemetry":
                runs[telemetry_ids(recorded.stream)[0]] = None
            case "run":
                runs[RunId(id_of(recorded.stream))] = None
            case _:
                experiments[id_of(recorded.stream)] = None
    return Touched(runs=runs, experiments=experiments)


def _found(mirror: Mirror) -> RunState:
    return RunState(
        run_id=mirror.run_id,
        experiment=mirror.experiment,
        mirror=mirror.id,
        progress=Progress(is_unchecked=True),
    )
