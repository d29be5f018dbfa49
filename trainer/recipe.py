"""What a recipe is, and what it may ask of the attempt that executes it.

A recipe is a typed, versioned function of a spec. It knows nothing of events, queues or databases:
all it sees is a `Context`. Found through the entry point group `runledger.recipes`. No jax here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from tracker.events.base import Score
from tracker.spec import JsonObject

Spec = TypeVar("Spec", bound=msgspec.Struct)


class Diverged(Exception):
    """Training has left the finite numbers. Raised by a recipe, it ends the run with that reason."""


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """A benchmark as the recipe sees it: `path` is a local copy of its dataset (JSON lines)."""

    benchmark_id: str
    dataset: str
    path: Path
    scorer: str
    scorer_version: int


class Context(Protocol):
    """The attempt, as the recipe sees it. None of these calls waits for the tracker."""

    @property
    def folder(self) -> Path:
        """A private scratch folder of this attempt, empty at the start."""

    @property
    def attempt(self) -> int:
        """1 for the first."""

    @property
    def checkpoint_folder(self) -> Path | None:
        """The unpacked checkpoint to go on from, or None to start from nothing."""

    def dataset(self, digest: str) -> Path:
        """A local, read-only copy of a registered dataset that the spec names."""

    def benchmark(self, benchmark_id: str) -> Benchmark:
        """A benchmark that the spec names."""

    def log(self, metrics: Mapping[str, float], *, step: int, time: int | None = None) -> None:
        """Points of one step. `time` is in µs since 1970, now by default. NaN and infinities are kept."""

    def checkpoint(self, step: int, save: Callable[[Path], None], *, loss: float | None = None) -> None:
        """Save the state through `save(folder)` and have it recorded; covers all that was logged before.

        "Saved" means committed: it returns once the bytes and the journal's record are on disk.
        """

    def evaluated(self, step: int, benchmark_id: str, scores: Sequence[Score], predictions: Path) -> None:
        """Scores of the state at `step`; `predictions` is a file of JSON lines, one an item.

        Recorded together with the checkpoint of the same step, which the caller saves next.
        """

    def artifact(self, file: Path, path: str, *, media_type: str = "application/octet-stream") -> None:
        """Keep a file under a relative name."""

    def environment(self, **fields: str) -> None:
        """Anything else that changes a result; joins the recorded flags."""

    def progress(self, phase: str, done: int | None = None, total: int | None = None) -> None:
        """Tell how far it is: phases are `preparing`, `compiling`, `training`, `evaluating` …"""

    def should_stop(self) -> bool:
        """True once a cancel, pause or preemption was asked for. Ask at each step boundary; when true,
        save a checkpoint and return."""


class Recipe(msgspec.Struct, Generic[Spec], frozen=True, kw_only=True):
    """A named, versioned training function and the type of its spec."""

    name: str
    version: int
    spec: type[Spec]
    train: Callable[[Spec, Any], Mapping[str, float]]
    """(spec, Context) to the final metrics."""
    presets: Mapping[str, JsonObject] = {}
    """Named starting points; each is complete but for what the schema has defaults for."""
    devices: tuple[str, ...] = ("cpu", "gpu", "tpu")
    description: str = ""
    sources: tuple[str, ...] = ()
    """Modules whose source makes up the recipe's digest; its own module by default."""
