"""Brings one run's mirror up to date: whatever the log says now that MLflow has not acknowledged.

The state of the run is saved after each call that succeeded, and the intent before each that creates.
So a crash between any two calls leaves at most one call to repeat, and repeating it changes nothing. A
mirror that holds what no longer counts is put into the trash, then written anew: never two at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping

import msgspec

from runledger.projections.mlflow import prometheus
from runledger.projections.mlflow.comparing import expected_points, is_beyond_repair
from runledger.projections.mlflow.driver import (
    CHECKPOINT_TAG,
    MAX_PARAMS,
    MAX_TAGS,
    PARENT_TAG,
    MlflowDriver,
    Origin,
)
from runledger.projections.mlflow.errors import MirrorGone, MlflowRefused
from runledger.projections.mlflow.experiments import Experiments
from runledger.projections.mlflow.facts import Facts, effective, settled
from runledger.projections.mlflow.files import local_copy
from runledger.projections.mlflow.mapping import (
    Content,
    Known,
    ModelContent,
    ScoreContent,
    content,
    first_tags,
)
from runledger.projections.mlflow.reading import Reader
from runledger.projections.mlflow.state import Progress, RunState, SinkState
from runledger.tracker.blobs import Blobs
from runledger.tracker.effective import NOTHING, within
from runledger.tracker.errors import BlobCorrupt, BlobMissing
from runledger.tracker.ids import RunId

logger = logging.getLogger(__name__)

CREATING_RUN = "run"
MAX_MIRRORS_TRIED = 3
FINAL = frozenset({"FINISHED", "FAILED", "KILLED"})


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A run while it is being written."""

    facts: Facts
    known: Known
    content: Content
    state: RunState
    is_new: bool = False
    """Its mirror was made just now: its forks have to be told."""

    @property
    def mirror(self) -> str:
        if self.state.mirror is None:
            raise MirrorGone(f"run {self.content.run_id} has no mirror")
        return self.state.mirror

    @property
    def progress(self) -> Progress:
        return self.state.progress


class RunWriter:
    """`write`, which is quick, then `finish`, which moves files. `check` runs before each call to MLflow."""

    def __init__(
        self,
        driver: MlflowDriver,
        state: SinkState,
        reader: Reader,
        experiments: Experiments,
        blobs: Blobs,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._driver = driver
        self._state = state
        self._reader = reader
        self._experiments = experiments
        self._blobs = blobs
        self._check = check

    def write(self, run_id: RunId) -> Subject:
        """All but files and the final status."""
        for _ in range(MAX_MIRRORS_TRIED):
            subject = self._read(run_id)
            try:
                with prometheus.RUN_SECONDS.time():
                    return self._write(subject)
            except MirrorGone as gone:
                logger.warning("the mirror of run %s is gone: %s", run_id, gone)
                self._lose_mirror(subject)
        raise MlflowRefused(f"the mirror of run {run_id} was gone {MAX_MIRRORS_TRIED} times")

    def finish(self, subject: Subject) -> None:
        """Files, then the final status, so that whoever sees a run finished sees all of it.

        A file that cannot be had or that MLflow refuses is raised, but the status is told all the same.
        """
        try:
            self._finish(subject)
        except MirrorGone as gone:
            logger.warning("the mirror of run %s is gone: %s", subject.content.run_id, gone)
            self._lose_mirror(subject)
            raise

    def _finish(self, subject: Subject) -> None:
        try:
            self._write_files(subject)
        except (MlflowRefused, BlobMissing, BlobCorrupt):
            self._write_status(subject, is_final=True)
            raise
        self._write_status(subject, is_final=True)

    def _read(self, run_id: RunId) -> Subject:
        facts = self._reader.facts(run_id)
        known = self._reader.known(facts)
        return Subject(
            facts=facts, known=known, content=content(facts, known), state=self._state.load(run_id)
        )

    def _write(self, subject: Subject) -> Subject:
        subject = self._ensure_mirror(subject)
        self._write_name(subject)
        self._write_status(subject, is_final=False)
        self._write_params(subject)
        self._write_tags(subject)
        self._write_datasets(subject)
        self._write_points(subject)
        for model in subject.content.models:
            self._write_model(subject, model)
        for score in subject.content.scores:
            self._write_score(subject, score)
        return subject

    def _lose_mirror(self, subject: Subject) -> None:
        """Look for another one before making one."""
        state = subject.state
        state.mirror, state.progress = None, Progress(intent=CREATING_RUN)
        self._experiments.forget(subject.content.experiment_id)
        self._state.save(state)

    # --- the mirror itself

    def _ensure_mirror(self, subject: Subject) -> Subject:
        state = subject.state
        self._check()
        state.experiment = self._experiments.ensure(subject.content.experiment_id)
        state.parent = subject.content.parent
        if state.mirror is None and state.progress.intent == CREATING_RUN:
            self._find_mirror(subject)
        if state.mirror is not None and state.progress.is_unchecked:
            self._check_found(subject)
        if state.mirror is not None and is_rolled_back(subject):
            self._discard(subject)
        if state.mirror is not None:
            return subject
        self._create_mirror(subject)
        return msgspec.structs.replace(subject, is_new=True)

    def _find_mirror(self, subject: Subject) -> None:
        """Its creation was begun: was it done? There may be more than one, if others wrote as well."""
        self._check()
        found = self._driver.find_runs(subject.state.experiment or "", subject.content.run_id)
        for extra in found[1:]:
            self._driver.trash_run(extra)
        if found:
            subject.state.mirror, subject.state.progress = found[0], Progress(is_unchecked=True)
            self._state.save(subject.state)

    def _check_found(self, subject: Subject) -> None:
        """Go on with what was found if nothing in it is wrong; else write anew."""
        self._check()
        state, mirror = subject.state, subject.mirror
        held = self._driver.held(mirror)
        points = expected_points(self._reader, subject.facts, subject.content, settled(subject.facts.run))
        if is_beyond_repair(self._driver, mirror, held, subject.content, points):
            self._discard(subject)
            return
        models = self._driver.find_models(state.experiment or "", mirror)
        keys = {model.id: model.tags.get(CHECKPOINT_TAG, "") for model in models}
        state.progress = Progress(
            tags={
                key: value
                for key, value in held.tags.items()
                if not key.startswith("mlflow.") and key not in first_tags(subject.content, subject.known)
            },
            models={key: id for id, key in keys.items() if key},
            linked=[keys[id] for id in held.outputs if keys.get(id)],
        )
        self._state.save(state)

    def _discard(self, subject: Subject) -> None:
        """Into the trash, with its models; what crashes in between is done again."""
        state, mirror = subject.state, subject.mirror
        logger.info("run %s is written anew: what MLflow holds of it has been superseded", state.run_id)
        for model in self._driver.find_models(state.experiment or "", mirror):
            self._check()
            self._driver.delete_model(model.id)
        self._check()
        self._driver.trash_run(mirror)
        prometheus.REWRITTEN.inc()
        state.mirror, state.progress = None, Progress()
        self._state.save(state)

    def _create_mirror(self, subject: Subject) -> None:
        state, wanted = subject.state, subject.content
        state.progress = Progress(intent=CREATING_RUN)
        self._state.save(state)
        self._check()
        state.mirror = self._driver.create_run(
            state.experiment or "", wanted.name, wanted.start_time, first_tags(wanted, subject.known)
        )
        state.progress = Progress(name=wanted.name, status="RUNNING")
        self._state.save(state)

    # --- what it says

    def _write_name(self, subject: Subject) -> None:
        if subject.progress.name != subject.content.name:
            self._check()
            self._driver.update_run(subject.mirror, name=subject.content.name)
            subject.progress.name = subject.content.name
            self._state.save(subject.state)

    def _write_status(self, subject: Subject, *, is_final: bool) -> None:
        wanted, progress = subject.content, subject.progress
        told = (progress.status, progress.end_time)
        if (wanted.status in FINAL) is not is_final or told == (wanted.status, wanted.end_time):
            return
        self._check()
        self._driver.update_run(subject.mirror, status=wanted.status, end_time=wanted.end_time)
        progress.status, progress.end_time = wanted.status, wanted.end_time
        self._state.save(subject.state)

    def _write_params(self, subject: Subject) -> None:
        progress = subject.progress
        for part in _parts(_changed(progress.params, subject.content.params), MAX_PARAMS):
            self._check()
            self._driver.log_params(subject.mirror, part)
            progress.params.update(part)
            self._state.save(subject.state)

    def _write_tags(self, subject: Subject) -> None:
        progress, wanted = subject.progress, self._tags(subject)
        for part in _parts(_changed(progress.tags, wanted), MAX_TAGS):
            self._check()
            self._driver.log_tags(subject.mirror, part)
            progress.tags.update(part)
            self._state.save(subject.state)
        for key in sorted(progress.tags.keys() - wanted.keys()):
            self._check()
            self._driver.delete_tag(subject.mirror, key)
            del progress.tags[key]
            self._state.save(subject.state)

    def _tags(self, subject: Subject) -> dict[str, str]:
        parent = subject.content.parent and self._state.load(subject.content.parent).mirror
        return subject.content.tags | ({PARENT_TAG: parent} if parent else {})

    def _write_datasets(self, subject: Subject) -> None:
        progress = subject.progress
        new = [use for use in subject.content.datasets if (use.name, use.digest) not in progress.datasets]
        if new:
            self._check()
            self._driver.log_datasets(subject.mirror, new)
            progress.datasets += [(use.name, use.digest) for use in new]
            self._state.save(subject.state)

    def _write_points(self, subject: Subject) -> None:
        progress = subject.progress
        limits = settled(subject.facts.run)
        for portion in self._reader.portions(subject.facts.run_id, limits, dict(progress.written)):
            self._check()
            self._driver.log_points(subject.mirror, sorted(portion.points, key=lambda point: point.key))
            progress.written[portion.attempt] = portion.upto
            self._state.save(subject.state, points=len(portion.points))
            prometheus.POINTS.inc(len(portion.points))

    def _write_model(self, subject: Subject, model: ModelContent) -> None:
        progress = subject.progress
        if model.key not in progress.models:
            found = self._find_model(subject, model)
            progress.models[model.key] = found or self._create_model(subject, model)
            progress.intent = ""
            self._state.save(subject.state)
        if model.key not in progress.linked:
            self._check()
            self._driver.finish_model(progress.models[model.key])
            self._driver.link_model(subject.mirror, progress.models[model.key], model.step)
            progress.linked.append(model.key)
            self._state.save(subject.state)

    def _find_model(self, subject: Subject, model: ModelContent) -> str | None:
        if subject.progress.intent != model.key:
            return None
        self._check()
        found = self._driver.find_models(subject.state.experiment or "", subject.mirror)
        return next((each.id for each in found if each.tags.get(CHECKPOINT_TAG) == model.key), None)

    def _create_model(self, subject: Subject, model: ModelContent) -> str:
        subject.progress.intent = model.key
        self._state.save(subject.state)
        self._check()
        return self._driver.create_model(
            subject.state.experiment or "", subject.mirror, model.name, model.tags, model.params
        )

    def _write_score(self, subject: Subject, score: ScoreContent) -> None:
        progress = subject.progress
        if score.evaluation_id in progress.scores:
            return
        origin = Origin(
            model=progress.models.get(score.model or ""),
            dataset=score.dataset.name,
            digest=score.dataset.digest,
        )
        self._check()
        self._driver.log_points(subject.mirror, score.points, origin if origin.model else None)
        progress.scores.append(score.evaluation_id)
        self._state.save(subject.state)

    def _write_files(self, subject: Subject) -> None:
        progress = subject.progress
        wanted = {file.path: file for file in subject.content.files}
        for path in sorted(progress.files.keys() - wanted.keys()):
            self._check()
            self._driver.delete_file(subject.mirror, path)
            del progress.files[path]
            self._state.save(subject.state)
        for path, file in wanted.items():
            if progress.files.get(path) == file.digest:
                continue
            with local_copy(self._blobs, file, subject.known.public_url) as local:
                self._check()
                self._driver.upload(subject.mirror, local, path)
            progress.files[path] = file.digest
            self._state.save(subject.state)


def is_rolled_back(subject: Subject) -> bool:
    """Whether MLflow was told what an attempt that went on from an earlier point has superseded."""
    progress, cuts = subject.progress, effective(subject.facts.run)
    return (
        any(not within(upto, cuts.get(attempt, NOTHING)) for attempt, upto in progress.written.items())
        or not progress.models.keys() <= {model.key for model in subject.content.models}
        or not set(progress.scores) <= {score.evaluation_id for score in subject.content.scores}
    )


def _changed(told: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    return {key: wanted[key] for key in sorted(wanted) if told.get(key) != wanted[key]}


def _parts(entries: Mapping[str, str], size: int) -> Iterator[dict[str, str]]:
    keys = list(entries)
    for start in range(0, len(keys), size):
        yield {key: entries[key] for key in keys[start : start + size]}
