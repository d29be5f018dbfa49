"""What the sink asks of an MLflow server, and the values that go over that line.

Two drivers: `remote` speaks to any stock server through MLflow's client, `memory` is a server in a
dictionary. All calls are safe to repeat but `create_run` and `create_model`, which make a new thing
each time. A driver raises the errors of `projections.mlflow.errors` and no others.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import msgspec

MAX_POINTS = 1_000
MAX_PARAMS = 100
MAX_TAGS = 100
"""What one call may carry."""

RunStatus = Literal["SCHEDULED", "RUNNING", "FINISHED", "FAILED", "KILLED"]

RUN_TAG = "runledger.run"
LOG_TAG = "runledger.log"
EXPERIMENT_TAG = "runledger.experiment"
CHECKPOINT_TAG = "runledger.checkpoint"
PARENT_TAG = "mlflow.parentRunId"


class Point(NamedTuple):
    """`time` is in ms since 1970, as MLflow has it."""

    key: str
    step: int
    time: int
    value: float

    @property
    def identity(self) -> Hashable:
        """MLflow keeps one of the points that are the same in this."""
        return (self.key, self.step, self.time, "nan" if math.isnan(self.value) else self.value)


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Which logged model, on which dataset, the points are scores of."""

    model: str | None
    dataset: str
    digest: str


class DatasetUse(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset as an input of a run."""

    name: str
    digest: str
    source: str
    """JSON with the whole digest and an address."""
    profile: str
    context: str


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    tags: dict[str, str]
    is_active: bool


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model, here always a checkpoint."""

    id: str
    name: str
    tags: dict[str, str]
    is_ready: bool = True


class Mirror(msgspec.Struct, frozen=True, kw_only=True):
    """An active run of MLflow's that bears our tag."""

    id: str
    experiment: str
    run_id: str
    log_id: str


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What MLflow holds of one run, without the points and the files."""

    name: str
    status: str
    start_time: int
    end_time: int | None
    params: dict[str, str]
    tags: dict[str, str]
    keys: tuple[str, ...]
    """Names of the metrics."""
    datasets: frozenset[tuple[str, str]]
    """Name and digest."""
    outputs: dict[str, int]
    """Linked models, and at which step."""


class MlflowDriver(Protocol):
    """One MLflow server."""

    def ping(self) -> None:
        """Raises `MlflowUnavailable`."""

    def find_experiment(self, experiment_id: str) -> Experiment | None:
        """The one with our tag, also from the trash."""

    def named_experiment(self, name: str) -> Experiment | None: ...

    def create_experiment(self, name: str, tags: Mapping[str, str]) -> str:
        """Raises `NameTaken`."""

    def rename_experiment(self, experiment: str, name: str) -> None:
        """Raises `NameTaken`."""

    def tag_experiment(self, experiment: str, tags: Mapping[str, str]) -> None: ...

    def restore_experiment(self, experiment: str) -> None: ...

    def mirrors(self) -> Iterator[Mirror]:
        """All active runs with our tag, in all active experiments."""

    def find_runs(self, experiment: str, run_id: str) -> list[str]:
        """The active ones with our tag. Slow on a large MLflow: only where its answer was lost."""

    def create_run(self, experiment: str, name: str, start_time: int, tags: Mapping[str, str]) -> str: ...

    def update_run(
        self,
        run: str,
        *,
        name: str | None = None,
        status: RunStatus | None = None,
        end_time: int | None = None,
    ) -> None: ...

    def trash_run(self, run: str) -> None: ...

    def log_params(self, run: str, params: Mapping[str, str]) -> None: ...

    def log_tags(self, run: str, tags: Mapping[str, str]) -> None: ...

    def delete_tag(self, run: str, key: str) -> None: ...

    def log_points(self, run: str, points: Sequence[Point], origin: Origin | None = None) -> None: ...

    def log_datasets(self, run: str, uses: Sequence[DatasetUse]) -> None: ...

    def create_model(
        self, experiment: str, run: str, name: str, tags: Mapping[str, str], params: Mapping[str, str]
    ) -> str: ...

    def finish_model(self, model: str) -> None: ...

    def link_model(self, run: str, model: str, step: int) -> None: ...

    def delete_model(self, model: str) -> None: ...

    def find_models(self, experiment: str, run: str) -> list[Model]: ...

    def upload(self, run: str, file: Path, path: str) -> None:
        """Stores the file under `path`; its last part is the file's own name."""

    def delete_file(self, run: str, path: str) -> None: ...

    def held(self, run: str) -> Held: ...

    def points(self, run: str, key: str) -> list[Point]: ...

    def model_scores(self, model: str) -> list[tuple[Point, str, str]]:
        """Points of a logged model with the name and the digest of their dataset."""

    def files(self, run: str) -> dict[str, int]:
        """Paths and sizes in bytes."""
