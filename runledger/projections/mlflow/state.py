"""What the sink remembers: how far each run has been told, what MLflow refused, whether it answers.

Rows change by compare-and-set on a revision, so two sinks cannot both go on. What a call is about to
create is noted before the call (`intent`): whoever comes after a crash knows to look for it first.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec
from sqlalchemy import Connection, Engine, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from runledger.projections.mlflow.errors import TakenOver
from runledger.projections.mlflow.tables import mlflow_runs, mlflow_sink
from runledger.projections.tables import cursors
from runledger.tracker.envelope import EPOCH, from_micros, to_micros
from runledger.tracker.events.base import Covers
from runledger.tracker.store.cursors import advance, read_cursor
from runledger.tracker.store.engine import read, write

CURSOR = "sink-mlflow"
LEASE = "sink-mlflow"
PROBLEM_CHARACTERS = 2_000
ASKED_FOR = "it was asked for that it be told anew"


class Progress(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What MLflow has acknowledged of one run."""

    intent: str = ""
    """`run`, or the key of a model: its creation was begun, and its answer may have been lost."""
    is_unchecked: bool = False
    """The mirror was found, not made: it must be compared before it is written on."""
    name: str = ""
    status: str = ""
    end_time: int | None = None
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    datasets: list[tuple[str, str]] = []
    written: dict[int, Covers] = {}
    models: dict[str, str] = {}
    linked: list[str] = []
    scores: list[str] = []
    files: dict[str, str] = {}


class RunState(msgspec.Struct, kw_only=True):
    run_id: str
    revision: int = 0
    experiment: str | None = None
    mirror: str | None = None
    """The run of MLflow's."""
    parent: str | None = None
    progress: Progress = msgspec.field(default_factory=Progress)
    problem: str | None = None
    failures: int = 0
    retry_at: datetime | None = None


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    run_id: str
    reason: str
    failures: int
    retry_at: datetime | None


class SinkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the sink fares; `is_reachable` is None before MLflow was first asked."""

    position: int
    url: str | None = None
    is_reachable: bool | None = None
    problem: str = ""
    checked_at: datetime | None = None
    points: int = 0
    mirrored_runs: int = 0
    quarantined: tuple[Quarantined, ...] = ()

    def lag(self, head: int) -> int:
        """How many positions of the log MLflow has not been told of."""
        return max(head - self.position, 0)


class MirrorLink(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run is found in MLflow."""

    experiment: str
    run: str

    def url(self, mlflow_url: str) -> str:
        return f"{mlflow_url.rstrip('/')}/#/experiments/{self.experiment}/runs/{self.run}"


def status(conn: Connection) -> SinkStatus:
    row = conn.execute(select(mlflow_sink)).one_or_none()
    position = read_cursor(conn, cursors, CURSOR)
    quarantined = conn.execute(select(mlflow_runs).where(mlflow_runs.c.problem.is_not(None)))
    problems = tuple(
        Quarantined(
            run_id=run.run_id, reason=run.problem, failures=run.failures, retry_at=_moment(run.retry_at)
        )
        for run in quarantined
    )
    if row is None:
        return SinkStatus(position=position, quarantined=problems)
    mirrored = conn.scalars(select(mlflow_runs.c.run_id).where(mlflow_runs.c.mlflow_run_id.is_not(None)))
    return SinkStatus(
        position=position,
        url=row.url,
        is_reachable=row.is_reachable,
        problem=row.problem,
        checked_at=from_micros(row.checked_at),
        points=row.points,
        mirrored_runs=len(mirrored.all()),
        quarantined=problems,
    )


def link(conn: Connection, run_id: str) -> MirrorLink | None:
    """None until the run was told."""
    row = conn.execute(select(mlflow_runs).where(mlflow_runs.c.run_id == run_id)).one_or_none()
    if row is None or row.mlflow_run_id is None or row.mlflow_experiment_id is None:
        return None
    return MirrorLink(experiment=row.mlflow_experiment_id, run=row.mlflow_run_id)


def rebuild(views: Engine) -> None:
    """Forget all: the sink, running or started later, looks at what MLflow has and replays from zero."""
    with write(views) as conn:
        for table in (mlflow_runs, mlflow_sink):
            conn.execute(delete(table))
        conn.execute(delete(cursors).where(cursors.c.name == CURSOR))


def rebuild_run(views: Engine, run_id: str) -> None:
    """Let the sink look at one run's mirror again, and put it right or write it anew."""
    with write(views) as conn:
        row = conn.execute(select(mlflow_runs).where(mlflow_runs.c.run_id == run_id)).one_or_none()
        state = RunState(run_id=run_id) if row is None else _state(row)
        state.progress = Progress(is_unchecked=state.mirror is not None)
        state.problem, state.retry_at = ASKED_FOR, EPOCH
        _save(conn, state)


class SinkState:
    """The rows of one sink in the `views` database."""

    def __init__(self, views: Engine, url: str) -> None:
        self._views = views
        self._url = url

    def position(self) -> int:
        with read(self._views) as conn:
            return read_cursor(conn, cursors, CURSOR)

    def advance(self, expected: int, to: int) -> None:
        """Raises `CursorMoved`."""
        with write(self._views) as conn:
            advance(conn, cursors, CURSOR, expected, to)

    def is_new(self) -> bool:
        """Whether nothing is remembered: then what MLflow has must be looked at first."""
        with read(self._views) as conn:
            return not _has_looked(conn)

    def begin(self, found: Iterable[RunState], now: datetime) -> None:
        """Remember what was found in MLflow, in one transaction."""
        with write(self._views) as conn:
            for state in found:
                _save(conn, state)
            self._note(conn, has_looked=True, is_reachable=True, problem="", checked_at=to_micros(now))

    def forget(self) -> None:
        """All of it."""
        rebuild(self._views)

    def any_mirror(self) -> str | None:
        with read(self._views) as conn:
            mirrored = mlflow_runs.c.mlflow_run_id.is_not(None)
            return conn.scalar(select(mlflow_runs.c.mlflow_run_id).where(mirrored).limit(1))

    def note(self, now: datetime, problem: str = "") -> None:
        """Whether MLflow answered just now."""
        problem = problem[:PROBLEM_CHARACTERS]
        with write(self._views) as conn:
            self._note(conn, is_reachable=not problem, problem=problem, checked_at=to_micros(now))

    def _note(self, conn: Connection, **values: object) -> None:
        if conn.execute(update(mlflow_sink).values(url=self._url, **values)).rowcount == 0:
            new: dict[str, object] = {"name": CURSOR, "url": self._url, "has_looked": False, "points": 0}
            conn.execute(insert(mlflow_sink).values(**(new | values)))

    def load(self, run_id: str) -> RunState:
        with read(self._views) as conn:
            row = conn.execute(select(mlflow_runs).where(mlflow_runs.c.run_id == run_id)).one_or_none()
        return RunState(run_id=run_id) if row is None else _state(row)

    def save(self, state: RunState, points: int = 0) -> None:
        """Raises `TakenOver` if somebody else has written the row since, or a rebuild has begun."""
        try:
            with write(self._views) as conn:
                if not _has_looked(conn):
                    raise TakenOver("the sink's memory was cleared")
                _save(conn, state)
                if points:
                    conn.execute(update(mlflow_sink).values(points=mlflow_sink.c.points + points))
        except IntegrityError as problem:
            raise TakenOver(f"somebody else has begun run {state.run_id}") from problem
        state.revision += 1

    def retry_all(self, now: datetime) -> None:
        """A process that starts may have been told better: a password, say."""
        with write(self._views) as conn:
            quarantined = mlflow_runs.c.problem.is_not(None)
            conn.execute(update(mlflow_runs).where(quarantined).values(retry_at=to_micros(now)))

    def release(self, state: RunState) -> None:
        """Out of quarantine."""
        state.problem, state.failures, state.retry_at = None, 0, None
        self.save(state)

    def children(self, run_id: str) -> list[str]:
        with read(self._views) as conn:
            children = select(mlflow_runs.c.run_id).where(mlflow_runs.c.parent_run_id == run_id)
            return list(conn.scalars(children))

    def due(self, now: datetime) -> list[str]:
        """Quarantined runs whose time has come."""
        with read(self._views) as conn:
            due = select(mlflow_runs.c.run_id).where(mlflow_runs.c.retry_at <= to_micros(now))
            return list(conn.scalars(due))


def _has_looked(conn: Connection) -> bool:
    return bool(conn.scalar(select(mlflow_sink.c.has_looked)))


def _save(conn: Connection, state: RunState) -> None:
    values = {
        "revision": state.revision + 1,
        "mlflow_experiment_id": state.experiment,
        "mlflow_run_id": state.mirror,
        "parent_run_id": state.parent,
        "progress": msgspec.json.encode(state.progress).decode(),
        "problem": None if state.problem is None else state.problem[:PROBLEM_CHARACTERS],
        "failures": state.failures,
        "retry_at": None if state.retry_at is None else to_micros(state.retry_at),
    }
    if state.revision == 0:
        conn.execute(insert(mlflow_runs).values(run_id=state.run_id, **values))
    else:
        same = (mlflow_runs.c.run_id == state.run_id) & (mlflow_runs.c.revision == state.revision)
        if conn.execute(update(mlflow_runs).where(same).values(**values)).rowcount != 1:
            raise TakenOver(f"the state of run {state.run_id} is not at revision {state.revision}")


def _state(row: Row[tuple[object, ...]]) -> RunState:
    return RunState(
        run_id=row.run_id,
        revision=row.revision,
        experiment=row.mlflow_experiment_id,
        mirror=row.mlflow_run_id,
        parent=row.parent_run_id,
        progress=msgspec.json.decode(row.progress, type=Progress),
        problem=row.problem,
        failures=row.failures,
        retry_at=_moment(row.retry_at),
    )


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
