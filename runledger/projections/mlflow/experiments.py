"""Our experiments in MLflow: found by our tag, else made, once per process; then kept in step.

MLflow's names are unique, ours need not be: one whose name is taken bears a part of its id as well. An
experiment of that name that nobody has marked is taken over: people expect their runs there.
"""

from __future__ import annotations

from runledger.projections.mlflow.driver import EXPERIMENT_TAG, Experiment, MlflowDriver
from runledger.projections.mlflow.errors import NameTaken
from runledger.projections.mlflow.mapping import cut_text
from runledger.projections.mlflow.reading import ReadableLog
from runledger.tracker.errors import NotFound
from runledger.tracker.events.experiment import (
    ExperimentArchived,
    ExperimentCreated,
    ExperimentRenamed,
    ExperimentRestored,
)
from runledger.tracker.ids import ExperimentId, experiment_stream

MAX_NAME = 250
MAX_DESCRIPTION = 5_000
NOTE_TAG = "mlflow.note.content"
"""Written where there is none: people may write their own there."""
ARCHIVED_TAG = "runledger.archived"


class Experiments:
    """`ensure` answers from memory until `forget` is called."""

    def __init__(self, log: ReadableLog, driver: MlflowDriver) -> None:
        self._log = log
        self._driver = driver
        self._ids: dict[str, str] = {}

    def ensure(self, experiment_id: str) -> str:
        """The id that MLflow has given it."""
        if experiment_id not in self._ids:
            name, tags = self._wanted(experiment_id)
            found = self._find(experiment_id, name, tags)
            self._bring_into_step(found, experiment_id, name, tags)
            self._ids[experiment_id] = found.id
        return self._ids[experiment_id]

    def forget(self, experiment_id: str) -> None:
        """It changed, or is not where it was: look again."""
        self._ids.pop(experiment_id, None)

    def forget_all(self) -> None:
        """The server was away: it may have come back as another."""
        self._ids.clear()

    def _wanted(self, experiment_id: str) -> tuple[str, dict[str, str]]:
        name, tags = "", {EXPERIMENT_TAG: experiment_id, ARCHIVED_TAG: "false"}
        for recorded in self._log.read(experiment_stream(ExperimentId(experiment_id))):
            match recorded.event:
                case ExperimentCreated(name=name, description=description):
                    tags[NOTE_TAG] = cut_text(description, MAX_DESCRIPTION)
                case ExperimentRenamed(name=name):
                    pass
                case ExperimentArchived():
                    tags[ARCHIVED_TAG] = "true"
                case ExperimentRestored():
                    tags[ARCHIVED_TAG] = "false"
        if not name:
            raise NotFound("experiment", experiment_id)
        return cut_text(name, MAX_NAME), tags

    def _find(self, experiment_id: str, name: str, tags: dict[str, str]) -> Experiment:
        found = self._driver.find_experiment(experiment_id) or self._unmarked(name)
        if found is None:
            return self._create(experiment_id, name, tags)
        if not found.is_active:
            self._driver.restore_experiment(found.id)
        return found

    def _unmarked(self, name: str) -> Experiment | None:
        found = self._driver.named_experiment(name)
        return found if found is not None and found.is_active and EXPERIMENT_TAG not in found.tags else None

    def _create(self, experiment_id: str, name: str, tags: dict[str, str]) -> Experiment:
        try:
            id = self._driver.create_experiment(name, tags)
        except NameTaken:
            name = _other_name(name, experiment_id)
            id = self._driver.create_experiment(name, tags)
        return Experiment(id=id, name=name, tags=tags, is_active=True)

    def _bring_into_step(
        self, found: Experiment, experiment_id: str, name: str, tags: dict[str, str]
    ) -> None:
        told_once = {NOTE_TAG} & found.tags.keys()
        changed = {
            key: value for key, value in tags.items() if key not in told_once and found.tags.get(key) != value
        }
        if changed:
            self._driver.tag_experiment(found.id, changed)
        if found.name not in (name, _other_name(name, experiment_id)):
            self._rename(found.id, experiment_id, name)

    def _rename(self, id: str, experiment_id: str, name: str) -> None:
        try:
            self._driver.rename_experiment(id, name)
        except NameTaken:
            self._driver.rename_experiment(id, _other_name(name, experiment_id))


def _other_name(name: str, experiment_id: str) -> str:
    return f"{name[: MAX_NAME - 11]} ({experiment_id[:8]})"
