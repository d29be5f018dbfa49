"""`Context` of a rehearsal: what a recipe tells is shown and written down, and Ctrl-C asks for a stop."""

from __future__ import annotations

import threading
import time as clock
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from runledger.tracker.events.base import Score
from runledger.tracker.spec import JsonObject
from runledger.trainer.plain import plain_metrics, whole
from runledger.trainer.recipe import Benchmark
from runledger.trainer.rows import spelled
from runledger.trainer.scoring import Scorer
from runledger.trainer.standalone import StandaloneContext
from runledger.trainer.trying.view import View


class RehearsalContext(StandaloneContext):
    """Keeps the newest value of each metric in memory and every point in `metrics.jsonl`."""

    def __init__(
        self,
        folder: Path,
        view: View,
        stop: threading.Event,
        *,
        datasets: Mapping[str, Path],
        benchmarks: Sequence[Benchmark],
        scorers: Sequence[Scorer],
        checkpoint_folder: Path | None,
        attempt: int,
    ) -> None:
        super().__init__(
            folder,
            datasets=datasets,
            benchmarks=benchmarks,
            scorers=scorers,
            checkpoint_folder=checkpoint_folder,
            attempt=attempt,
            saved_step=int(checkpoint_folder.name) if checkpoint_folder else None,
        )
        self.was_told = False
        """The recipe has asked and was told to stop."""
        self.last_step: int | None = None
        self.latest: dict[str, float] = {}
        self._view = view
        self._stop = stop
        self._metrics = (folder / "metrics.jsonl").open("wb")

    def log(self, metrics: Mapping[str, float], *, step: int, time: int | None = None) -> None:
        values, at_step = plain_metrics(metrics), whole("step", step)
        at = clock.time_ns() // 1000 if time is None else whole("time", time)
        self.has_recorded = True
        row: JsonObject = {"step": at_step, "time": at}
        row |= {key: spelled(value) for key, value in values.items()}
        self._metrics.write(msgspec.json.encode(row) + b"\n")
        self.latest |= values
        self.last_step = at_step
        self._view.metrics(self.latest)

    def checkpoint(self, step: int, save: Callable[[Path], None], *, loss: float | None = None) -> None:
        super().checkpoint(step, save, loss=loss)
        self.last_step = self.checkpoints[-1].step
        self._metrics.flush()
        self._view.say(f"checkpoint    step {step}")

    def evaluated(self, step: int, benchmark_id: str, scores: Sequence[Score], predictions: Path) -> None:
        super().evaluated(step, benchmark_id, scores, predictions)
        told = "  ".join(map(in_words, scores))
        self._view.say(f"evaluation    step {step}  {told}")

    def artifact(self, file: Path, path: str, *, media_type: str = "application/octet-stream") -> None:
        super().artifact(file, path, media_type=media_type)
        self._view.say(f"artifact      {path}")

    def progress(self, phase: str, done: int | None = None, total: int | None = None) -> None:
        super().progress(phase, done, total)
        self._view.progress(*self.phases.pop())

    def should_stop(self) -> bool:
        self.was_told = self.was_told or self._stop.is_set()
        return self.was_told

    def close(self) -> None:
        self._metrics.close()


def in_words(score: Score) -> str:
    """`closeness 0.93 (0.92 to 0.94, bootstrap)`"""
    value = f"{score.name} {score.value:.4g}"
    if score.low is None or score.high is None:
        return value
    method = f", {score.method}" if isinstance(score.method, str) else ""
    return f"{value} ({score.low:.4g} to {score.high:.4g}{method})"
