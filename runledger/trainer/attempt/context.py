"""`Context` over a journal: what a recipe tells becomes records, its files become staged blobs."""

from __future__ import annotations

import shutil
import tempfile
import time as clock
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from runledger.tracker import environment
from runledger.tracker.errors import BadInput
from runledger.tracker.events.base import Score
from runledger.tracker.journal import Artifact, Checkpoint, Environment, Evaluated, Progress
from runledger.tracker.journal_writer import Journal
from runledger.tracker.staging import Staging
from runledger.trainer import scorers
from runledger.trainer.artifacts import check_path, keep_image, keep_table
from runledger.trainer.attempt.control import Control
from runledger.trainer.attempt.job import Folder, Job
from runledger.trainer.errors import MisusedContext, ScorerNotHere
from runledger.trainer.plain import check_not_before, plain_score, real_or_none, text, whole
from runledger.trainer.recipe import Benchmark
from runledger.trainer.scoring import Answer, Scorer, score_answers

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
        self._scorers = {
            found.benchmark_id: (found.scorer_reference, found.scorer_digest) for found in job.benchmarks
        }
        self._fields: dict[str, str] = {}
        self._environment_recorded = False
        self._unsaved: list[Evaluated] = []
        self._saved_step = job.saved_step
        self._saved_digest = ""
        """Of what this attempt has saved last."""
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
        self.record_environment()
        try:
            self._journal.points(step, clock.time_ns() // 1000 if time is None else time, metrics)
        except BadInput as problem:
            raise MisusedContext(str(problem)) from None
        self.last_step = int(step)

    def checkpoint(self, step: int, save: Callable[[Path], None], *, loss: float | None = None) -> None:
        if any(found.step != step for found in self._unsaved):
            raise MisusedContext(f"evaluations of another step than {step} wait for a checkpoint")
        at, lost = whole("step", step), real_or_none("loss", loss)
        check_not_before(at, self._saved_step)
        self.record_environment()
        mark = self._journal.cut()
        digest, size_bytes = self._pack(save)
        if at == self._saved_step and self._saved_digest not in ("", digest):
            raise MisusedContext(f"another state has been saved at step {at} already")
        self._journal.append(Checkpoint(step=at, digest=digest, size_bytes=size_bytes, loss=lost, mark=mark))
        self._journal.sync()
        self._saved_step, self._saved_digest = at, digest
        self._unsaved.clear()
        self.last_step = at

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
            step=whole("step", step),
            benchmark_id=benchmark_id,
            scores=tuple(map(plain_score, scores)),
            predictions=digest,
            items=_count_lines(predictions),
        )
        self._journal.append(record)
        self._unsaved.append(record)

    def scorer(self, benchmark_id: str) -> Scorer:
        benchmark = self.benchmark(benchmark_id)
        reference, digest = self._scorers[benchmark_id]
        if not reference:
            raise ScorerNotHere(benchmark.scorer, benchmark.scorer_version)
        return scorers.load(reference, digest)

    def evaluate(self, step: int, benchmark_id: str, answers: Iterable[Answer]) -> tuple[Score, ...]:
        file = self.folder / f"predictions-{benchmark_id}-{step}.jsonl"
        scores = score_answers(self.scorer(benchmark_id), answers, file)
        self.evaluated(step, benchmark_id, scores, file)
        return scores

    def artifact(self, file: Path, path: str, *, media_type: str = "application/octet-stream") -> None:
        check_path(path)
        text("media_type", media_type)
        self.record_environment()
        digest, size_bytes = self._staging.put_file(Path(file))
        self._journal.append(Artifact(path=path, digest=digest, size_bytes=size_bytes, media_type=media_type))

    def image(self, path: str, pixels: NDArray[Any]) -> None:
        keep_image(self, path, pixels)

    def table(self, path: str, rows: Iterable[Mapping[str, Any] | msgspec.Struct]) -> None:
        keep_table(self, path, rows)

    def environment(self, **fields: str) -> None:
        if self._environment_recorded:
            raise MisusedContext("the environment is recorded before the first thing that is logged")
        self._fields |= {name: text(name, value) for name, value in fields.items()}

    def progress(self, phase: str, done: int | None = None, total: int | None = None) -> None:
        given = {"done": done, "total": total}
        counts = {name: whole(name, count) for name, count in given.items() if count is not None}
        self._journal.append(Progress(phase=text("phase", phase), **counts))

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
            fields=self._fields | self._scorer_fields(),
        )
        if self._source is None:
            return found
        revision, diff = environment.code_revision(self._source)
        return msgspec.structs.replace(
            found,
            code_revision=revision,
            code_diff_digest=self._staging.put_bytes(diff)[0] if diff else None,
        )

    def _scorer_fields(self) -> dict[str, str]:
        """Which scorers, and which source of them, the scores of this attempt come from."""
        return {
            f"scorer {found.scorer} {found.scorer_version}": found.scorer_digest
            for found in self._job.benchmarks
            if found.scorer_digest
        }


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())
