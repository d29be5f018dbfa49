"""`Context` over a journal: what a recipe tells becomes records, its files become staged blobs."""

from __future__ import annotations

import shutil
import tempfile
import time as clock
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from tracker.events.base import Score
from tracker.journal import Artifact, Checkpoint, Environment, Evaluated, Progress
from tracker.journal_writer import Journal
from trainer.attempt import environment
from trainer.attempt.control import Control
from trainer.attempt.job import Folder, Job
from trainer.attempt.staging import Staging
from trainer.errors import MisusedContext
from trainer.recipe import Benchmark

MAX_NAME_LENGTH = 250
INT64 = range(-(2**63), 2**63)


class AttemptContext:
    """One attempt, as its recipe sees it (`trainer.recipe.Context`)."""

    def __init__(
        self, folder: Folder, job: Job, journal: Journal, control: Control, source: Path | None
    ) -> None:
        self._folder = folder
        self._job = job
        self._journal = journal
        self._control = control
        self._source = source
        self._staging = Staging(folder.staged)
        self._benchmarks = {found.benchmark_id: found.as_benchmark() for found in job.benchmarks}
        self._fields: dict[str, str] = {}
        self._environment_recorded = False
        self._unsaved: list[Evaluated] = []
        self.last_step: int | None = None
        folder.scratch.mkdir(exist_ok=True)

    @property
    def folder(self) -> Path:
        return self._folder.scratch

    @property
    def attempt(self) -> int:
        return self._job.attempt

    @property
    def checkpoint_folder(self) -> Path | None:
        return self._folder.checkpoint if self._job.checkpoint else None

    def dataset(self, digest: str) -> Path:
        try:
            return Path(self._job.datasets[digest])
        except KeyError:
            raise MisusedContext(f"the spec names no dataset {digest!r}") from None

    def benchmark(self, benchmark_id: str) -> Benchmark:
        try:
            return self._benchmarks[benchmark_id]
        except KeyError:
            raise MisusedContext(f"the spec names no benchmark {benchmark_id!r}") from None

    def log(self, metrics: Mapping[str, float], *, step: int, time: int | None = None) -> None:
        at = clock.time_ns() // 1000 if time is None else time
        if step not in INT64 or at not in INT64:
            raise MisusedContext(f"step {step} or time {at} does not fit into 64 bits")
        self.record_environment()
        self.last_step = step
        self._journal.points(step, at, {_checked(key): float(value) for key, value in metrics.items()})

    def checkpoint(self, step: int, save: Callable[[Path], None], *, loss: float | None = None) -> None:
        if any(found.step != step for found in self._unsaved):
            raise MisusedContext(f"evaluations of another step than {step} wait for a checkpoint")
        self.record_environment()
        mark = self._journal.cut()
        digest, size_bytes = self._pack(save)
        self._journal.append(
            Checkpoint(step=step, digest=digest, size_bytes=size_bytes, loss=loss, mark=mark)
        )
        self._journal.sync()
        self._unsaved.clear()
        self.last_step = step

    def _pack(self, save: Callable[[Path], None]) -> tuple[str, int]:
        folder = Path(tempfile.mkdtemp(dir=self._folder.path, prefix="saving-"))
        try:
            save(folder)
            return self._staging.put_folder(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def evaluated(self, step: int, benchmark_id: str, scores: Sequence[Score], predictions: Path) -> None:
        self.benchmark(benchmark_id)
        self.record_environment()
        digest, _ = self._staging.put_file(predictions)
        record = Evaluated(
            step=step,
            benchmark_id=benchmark_id,
            scores=tuple(scores),
            predictions=digest,
            items=_count_lines(predictions),
        )
        self._journal.append(record)
        self._unsaved.append(record)

    def artifact(self, file: Path, path: str, *, media_type: str = "application/octet-stream") -> None:
        parts = path.split("/")
        if not path or path.startswith("/") or ".." in parts or "" in parts or "\\" in path:
            raise MisusedContext(f"an artifact's path is relative, with forward slashes: {path!r}")
        self.record_environment()
        digest, size_bytes = self._staging.put_file(file)
        self._journal.append(Artifact(path=path, digest=digest, size_bytes=size_bytes, media_type=media_type))

    def environment(self, **fields: str) -> None:
        if self._environment_recorded:
            raise MisusedContext("the environment is recorded before the first thing that is logged")
        self._fields |= fields

    def progress(self, phase: str, done: int | None = None, total: int | None = None) -> None:
        self._journal.append(Progress(phase=phase, done=done, total=total))

    def should_stop(self) -> bool:
        return self._control.should_stop()

    def check_all_saved(self) -> None:
        """Raises if evaluations were told whose checkpoint never came."""
        if self._unsaved:
            raise MisusedContext(f"no checkpoint of step {self._unsaved[0].step} followed its evaluation")

    def record_environment(self) -> None:
        """Once, and as late as possible: by then the recipe has imported what it uses."""
        if not self._environment_recorded:
            self._environment_recorded = True
            self._journal.append(self._observe())

    def _observe(self) -> Environment:
        seed = self._job.values.get("seed")
        found = environment.observe(
            seed=seed if isinstance(seed, int) else None,
            dataset_digest=next(iter(self._job.datasets)) if len(self._job.datasets) == 1 else None,
            fields=self._fields,
        )
        if self._source is None:
            return found
        revision, diff = environment.code_revision(self._source)
        return msgspec.structs.replace(
            found,
            code_revision=revision,
            code_diff_digest=self._staging.put_bytes(diff)[0] if diff else None,
        )


def _checked(key: str) -> str:
    if not isinstance(key, str) or not 0 < len(key) <= MAX_NAME_LENGTH:
        raise MisusedContext(f"a metric's name has 1 to {MAX_NAME_LENGTH} characters: {key!r}")
    return key


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())
