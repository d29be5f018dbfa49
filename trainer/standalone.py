"""A `Context` without a tracker, to try a recipe: facts go into lists, files into a folder."""

from __future__ import annotations

import shutil
import time as clock
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from tracker.events.base import Score
from trainer.recipe import Benchmark


class Point(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    step: int
    time: int
    value: float


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    step: int
    folder: Path
    loss: float | None


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    step: int
    benchmark_id: str
    scores: tuple[Score, ...]
    predictions: Path


class StandaloneContext:
    """One attempt whose facts stay in this process; checkpoints and artifacts are copied below `folder`."""

    def __init__(
        self,
        folder: Path,
        *,
        datasets: Mapping[str, Path],
        benchmarks: Sequence[Benchmark] = (),
        checkpoint_folder: Path | None = None,
        stop_after: int | None = None,
    ) -> None:
        """`stop_after` asks for a stop once a point of that step, or of a later one, was logged."""
        self.folder = folder / "scratch"
        self.folder.mkdir(parents=True)
        self.attempt = 1
        self.checkpoint_folder = checkpoint_folder
        self.points: list[Point] = []
        self.checkpoints: list[Saved] = []
        self.evaluations: list[Evaluated] = []
        self.artifacts: dict[str, Path] = {}
        self.fields: dict[str, str] = {}
        self.phases: list[tuple[str, int | None, int | None]] = []
        self._kept = folder
        self._datasets = dict(datasets)
        self._benchmarks = {benchmark.benchmark_id: benchmark for benchmark in benchmarks}
        self._stop_after = stop_after

    def dataset(self, digest: str) -> Path:
        return self._datasets[digest]

    def benchmark(self, benchmark_id: str) -> Benchmark:
        return self._benchmarks[benchmark_id]

    def log(self, metrics: Mapping[str, float], *, step: int, time: int | None = None) -> None:
        at = clock.time_ns() // 1000 if time is None else time
        self.points += [
            Point(key=key, step=step, time=at, value=float(value)) for key, value in metrics.items()
        ]

    def checkpoint(self, step: int, save: Callable[[Path], None], *, loss: float | None = None) -> None:
        folder = self._kept / "checkpoints" / str(step)
        folder.mkdir(parents=True)
        save(folder)
        self.checkpoints.append(Saved(step=step, folder=folder, loss=loss))

    def evaluated(self, step: int, benchmark_id: str, scores: Sequence[Score], predictions: Path) -> None:
        self.evaluations.append(
            Evaluated(step=step, benchmark_id=benchmark_id, scores=tuple(scores), predictions=predictions)
        )

    def artifact(self, file: Path, path: str, *, media_type: str = "application/octet-stream") -> None:
        kept = self._kept / "artifacts" / path
        kept.parent.mkdir(parents=True, exist_ok=True)
        self.artifacts[path] = Path(shutil.copyfile(file, kept))

    def environment(self, **fields: str) -> None:
        self.fields |= fields

    def progress(self, phase: str, done: int | None = None, total: int | None = None) -> None:
        self.phases.append((phase, done, total))

    def should_stop(self) -> bool:
        if self._stop_after is None:
            return False
        return any(point.step >= self._stop_after for point in self.points)

    def series(self, key: str) -> list[tuple[int, float]]:
        """(step, value) of the points of a metric, in the order in which they were logged."""
        return [(point.step, point.value) for point in self.points if point.key == key]
