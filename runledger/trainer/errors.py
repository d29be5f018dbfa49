"""Everything that `trainer` raises on purpose, but for what recipes raise themselves.

    TrainerError
    ├── BadMetrics          what a training returned are no metrics
    ├── BadReference        what should be `module:attribute` is not
    ├── BadRecipe           a recipe was made of what does not fit
    ├── BadScorer           a scorer was made of what does not fit
    ├── BadSpec             the type of a recipe's spec cannot be used
    ├── NameTaken           two recipes or scorers have the same name and version
    ├── NotARecipe          what a recipe's reference names is no recipe
    ├── NotAScorer          what a scorer's reference names is no scorer
    ├── NoSource            a module of a recipe or scorer has no file
    ├── RecipesNotFound     the process that looks for recipes died or hangs
    ├── RecipeNotHere       the worker does not have the recipe of the run that it has claimed
    ├── RecipeChanged       the recipe's source is not what the run was requested with
    ├── ScorerNotHere       the worker does not have the scorer of a benchmark
    ├── ScorerChanged       the scorer's source is not what the worker announced
    ├── ScorerFailed        a scorer raised an error, or gave what is no score
    ├── MisusedContext      a recipe asked for something that cannot be given or recorded
    ├── Interrupted         an attempt has to stop before its process exists
    ├── TooLate             another worker has taken the row or holds the lease
    └── FolderInUse         somebody works in an attempt's folder

`trainer.attempt.execution.Terminated` is none of them: it is a signal, not an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runledger.trainer.conclusion import Cause


class TrainerError(Exception):
    """Base of all errors of this package."""


class BadMetrics(TrainerError):
    """What a training returned are no metrics: names with their numbers, or None."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"what the training returned: {problem}")
        self.problem = problem


class BadReference(TrainerError):
    """What should be `module:attribute` is not."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"{reference!r} is not MODULE:ATTRIBUTE")
        self.reference = reference


class BadRecipe(TrainerError):
    """A recipe was made of what does not fit."""

    def __init__(self, name: object, place: str, problem: str) -> None:
        super().__init__(f"recipe {name!r}: {place}: {problem}")
        self.name = name
        self.place = place
        self.problem = problem


class BadScorer(TrainerError):
    """A scorer was made of what does not fit."""

    def __init__(self, name: object, place: str, problem: str) -> None:
        super().__init__(f"scorer {name!r}: {place}: {problem}")
        self.name = name
        self.place = place
        self.problem = problem


class BadSpec(TrainerError):
    """The type of a recipe's spec has no JSON Schema, or would take keys that mean nothing."""

    def __init__(self, kind: str, problem: str) -> None:
        super().__init__(f"{kind}: {problem}")
        self.kind = kind
        self.problem = problem


class NameTaken(TrainerError):
    """Two recipes or two scorers that are installed have the same name and version: neither can be named."""

    def __init__(self, name: str, version: int, others: str) -> None:
        super().__init__(f"{name!r} version {version} is also the name of {others}")
        self.name = name
        self.version = version
        self.others = others


class NotARecipe(TrainerError):
    """What a recipe's reference names is no recipe."""

    def __init__(self, reference: str, problem: str) -> None:
        super().__init__(f"{reference}: {problem}")
        self.reference = reference
        self.problem = problem


class NotAScorer(TrainerError):
    """What a scorer's reference names is no scorer."""

    def __init__(self, reference: str, problem: str) -> None:
        super().__init__(f"{reference}: {problem}")
        self.reference = reference
        self.problem = problem


class NoSource(TrainerError):
    """A module of a recipe or scorer has no file, so nothing says which code it is."""

    def __init__(self, module: str) -> None:
        super().__init__(f"{module}: no source")
        self.module = module


class RecipesNotFound(TrainerError):
    """The process that looks for recipes died or hangs; its last lines say what it was loading."""

    def __init__(self, problem: str, output: bytes) -> None:
        last = output.decode(errors="replace").strip()[-2000:]
        super().__init__(f"looking for recipes and scorers: {problem}:\n{last}")
        self.problem = problem


class RecipeNotHere(TrainerError):
    """The worker does not have the recipe of the run that it has claimed."""

    def __init__(self, name: str, digest: str) -> None:
        super().__init__(f"this worker has no recipe {name} with the digest {digest}")
        self.name = name
        self.digest = digest


class RecipeChanged(TrainerError):
    """The recipe's source on this machine is not what the run was requested with."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"{reference} has changed on this machine since the worker announced it")
        self.reference = reference


class ScorerNotHere(TrainerError):
    """The worker does not have the scorer that a benchmark names, or not in this version."""

    def __init__(self, name: str, version: int) -> None:
        super().__init__(f"scorer {name!r} version {version} is not installed here")
        self.name = name
        self.version = version


class ScorerChanged(TrainerError):
    """The scorer's source on this machine is not what the worker announced."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"{reference} has changed on this machine since the worker announced it")
        self.reference = reference


class ScorerFailed(TrainerError):
    """A scorer raised an error, or gave something that is no score, for an item."""

    def __init__(self, scorer: str, item_id: str, problem: str) -> None:
        super().__init__(f"scorer {scorer!r} failed on item {item_id!r}: {problem}")
        self.scorer = scorer
        self.item_id = item_id
        self.problem = problem


class MisusedContext(TrainerError):
    """A recipe asked for something that its spec does not name, or that cannot be recorded in this order."""


class Interrupted(TrainerError):
    """An attempt has to stop before its process exists."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(f"stopped while it was prepared: {cause}")
        self.cause = cause


class TooLate(TrainerError):
    """Another worker has taken the row or holds the lease."""


class FolderInUse(TrainerError):
    """Somebody works in the attempt's folder."""

    def __init__(self, folder: str) -> None:
        super().__init__(f"somebody works in {folder}")
        self.folder = folder
