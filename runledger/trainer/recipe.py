"""What a recipe is, and what it may ask of the attempt that executes it.

A recipe is a typed, versioned function of a spec. It knows nothing of events, queues or databases:
all it sees is a `Context`. Found through the entry point group `runledger.recipes`. No jax here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, Protocol, TypeAlias, TypeVar

import msgspec

from runledger.tracker import schemas
from runledger.tracker.datasets import Item, read_items
from runledger.tracker.errors import BadInput
from runledger.tracker.events.base import Score
from runledger.tracker.events.benchmark import Direction
from runledger.tracker.spec import JsonObject
from runledger.trainer.errors import BadRecipe
from runledger.trainer.scoring import Answer, Name, Scorer, Version, check_declared

if TYPE_CHECKING:
    from numpy.typing import NDArray

Spec = TypeVar("Spec", bound=msgspec.Struct)

DatasetRef: TypeAlias = Annotated[
    str, msgspec.Meta(description="Digest of a dataset.", extra_json_schema={"x-runledger": "dataset"})
]
"""A field of a spec that names a dataset. Whoever launches may describe one in its place."""
BenchmarkRef: TypeAlias = Annotated[
    str, msgspec.Meta(description="Id of a benchmark.", extra_json_schema={"x-runledger": "benchmark"})
]
"""A field of a spec that names a benchmark, likewise; often `BenchmarkRef | None`."""


class Diverged(FloatingPointError):
    """Training has left the finite numbers. Raised by a recipe, it ends the run with that reason."""


class OwnScorer(msgspec.Struct, frozen=True, kw_only=True):
    """A scorer that only one recipe can apply, because it needs more than the prediction: a loss, say.

    Raises `BadScorer` with the place of what does not fit.
    """

    name: Name
    version: Version
    direction: Direction | None = None
    description: str = ""

    def __post_init__(self) -> None:
        check_declared(self)


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """A benchmark as the recipe sees it: `path` is a local copy of its dataset (JSON lines)."""

    benchmark_id: str
    dataset: str
    path: Path
    scorer: str
    scorer_version: int

    def items(self) -> list[Item]:
        """Its items, in the order of the dataset."""
        return read_items(self.path)


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

    def scorer(self, benchmark_id: str) -> Scorer:
        """The scorer of a benchmark that the spec names, as it is installed on this machine.

        Raises `ScorerNotHere`, also for those that a recipe has of its own.
        """

    def evaluate(self, step: int, benchmark_id: str, answers: Iterable[Answer]) -> tuple[Score, ...]:
        """Score the answers with the benchmark's scorer, keep a prediction row of each, and tell it.

        As `evaluated`, with nothing left to do but to log the scores that come back. Raises
        `ScorerFailed`.
        """

    def artifact(self, file: Path, path: str, *, media_type: str = "application/octet-stream") -> None:
        """Keep a file under a relative name."""

    def image(self, path: str, pixels: NDArray[Any]) -> None:
        """Keep [height, width] or [height, width, 3] as a PNG: 0 to 255 as uint8, 0 to 1 as floats.

        Floats outside are cut off; NaN is black.
        """

    def table(self, path: str, rows: Iterable[Mapping[str, Any] | msgspec.Struct]) -> None:
        """Keep rows as JSON lines; NaN and infinities become "NaN", "Infinity" and "-Infinity"."""

    def environment(self, **fields: str) -> None:
        """Anything else that changes a result; joins the recorded flags."""

    def progress(self, phase: str, done: int | None = None, total: int | None = None) -> None:
        """Tell how far it is: phases are `preparing`, `compiling`, `training`, `evaluating` …"""

    def should_stop(self) -> bool:
        """True once a cancel, pause or preemption was asked for. Ask at each step boundary; when true,
        save a checkpoint and return."""


class Preset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named starting point, as a launch would say it."""

    spec: JsonObject = {}


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """What of a recipe is data, with the bounds that it has to keep."""

    name: Name
    version: Version
    devices: tuple[Literal["cpu", "gpu", "tpu"], ...]
    description: str
    own_scorers: tuple[OwnScorer, ...]
    sources: tuple[str, ...]
    imports: tuple[str, ...]


class Recipe(msgspec.Struct, Generic[Spec], frozen=True, kw_only=True):
    """A named, versioned training function and the type of its spec. Raises `BadRecipe` with the place."""

    name: str
    version: int
    spec: type[Spec]
    train: Callable[[Spec, Any], Mapping[str, float]]
    """(spec, Context) to the final metrics."""
    presets: Mapping[str, JsonObject] = {}
    """Named starting points; each is complete but for what the schema has defaults for."""
    devices: tuple[str, ...] = ("cpu", "gpu", "tpu")
    description: str = ""
    own_scorers: tuple[OwnScorer, ...] = ()
    """Those that its benchmarks may have beside the scorers that are installed."""
    sources: tuple[str, ...] = ()
    """Modules whose source makes up the recipe's digest; its own module by default."""
    imports: tuple[str, ...] = ()
    """Modules that `train` imports late because they are heavy: a spare process imports them ahead."""

    def __post_init__(self) -> None:
        """Constructors check no types, and a worker tells everybody what stands here."""
        if not (isinstance(self.spec, type) and issubclass(self.spec, msgspec.Struct)):
            raise BadRecipe(self.name, "spec", f"not a class of msgspec.Struct but {self.spec!r}")
        if not callable(self.train):
            raise BadRecipe(self.name, "train", f"cannot be called: {self.train!r}")
        if not isinstance(self.presets, Mapping) or not all(isinstance(name, str) for name in self.presets):
            raise BadRecipe(self.name, "presets", "not a mapping of names to presets")
        try:
            declared = {name: getattr(self, name) for name in Declared.__struct_fields__}
            schemas.convert(declared, Declared)
            for name, preset in self.presets.items():
                schemas.convert(preset, Preset, f"$.presets[{name!r}]")
        except BadInput as error:
            raise BadRecipe(self.name, error.place.removeprefix("$."), error.problem) from None
