"""What the supervisor hands to the attempt's process, and where things lie in the attempt's folder."""

from __future__ import annotations

from pathlib import Path

import msgspec

from runledger.tracker.spec import JsonObject
from runledger.trainer.recipe import Benchmark


class BenchmarkFile(msgspec.Struct, frozen=True, kw_only=True):
    """A benchmark and the local copy of its dataset."""

    benchmark_id: str
    dataset: str
    path: str
    scorer: str
    scorer_version: int
    scorer_reference: str = ""
    """Where the scorer is found; empty for one that only the recipe can apply, or that is not here."""
    scorer_digest: str = ""

    def as_benchmark(self, path: Path | None = None) -> Benchmark:
        """As the recipe sees it; `path` where the dataset lies somewhere else by now."""
        return Benchmark(
            benchmark_id=self.benchmark_id,
            dataset=self.dataset,
            path=path or Path(self.path),
            scorer=self.scorer,
            scorer_version=self.scorer_version,
        )


class CheckpointFile(msgspec.Struct, frozen=True, kw_only=True):
    """The packed state to go on from."""

    path: str
    step: int
    digest: str


class Job(msgspec.Struct, frozen=True, kw_only=True):
    run_id: str
    attempt: int
    reference: str
    """Where the recipe is found: `module:attribute`."""
    recipe_digest: str = ""
    values: JsonObject
    datasets: dict[str, str] = {}
    """Digest to local path."""
    benchmarks: tuple[BenchmarkFile, ...] = ()
    checkpoint: CheckpointFile | None = None
    saved_step: int | None = None
    """Of the run's last checkpoint: none of this attempt may lie before it."""


class Folder:
    """The attempt's folder on the worker's disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.job = path / "job.json"
        self.journal = path / "journal"
        self.output = path / "output.log"
        self.staged = path / "staged"
        self.scratch = path / "scratch"
        self.checkpoint = path / "checkpoint"
        self.lock = path / "lock"

    def write_job(self, job: Job) -> None:
        self.job.write_bytes(msgspec.json.encode(job))

    def read_job(self) -> Job:
        return msgspec.json.decode(self.job.read_bytes(), type=Job)
