"""Everything that `trainer` raises on purpose, but for what recipes raise themselves.

    TrainerError
    ├── NotARecipe          what a recipe's reference names is no recipe
    ├── RecipesNotFound     the process that looks for recipes failed
    ├── RecipeNotHere       the worker does not have the recipe of the run that it has claimed
    ├── RecipeChanged       the recipe's source is not what the run was requested with
    ├── MisusedContext      a recipe asked for something that cannot be given or recorded
    ├── TooLate             another worker has taken the row or holds the lease
    ├── FolderInUse         somebody works in an attempt's folder
    └── GaveUp              told to stop trying before it worked

`trainer.attempt.execution.Terminated` is none of them: it is a signal, not an error.
"""

from __future__ import annotations


class TrainerError(Exception):
    """Base of all errors of this package."""


class NotARecipe(TrainerError):
    """What a recipe's reference names is no recipe, or one without source."""

    def __init__(self, reference: str, problem: str) -> None:
        super().__init__(f"{reference}: {problem}")
        self.reference = reference
        self.problem = problem


class RecipesNotFound(TrainerError):
    """The process that looks for recipes failed; its last lines say why."""


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


class MisusedContext(TrainerError):
    """A recipe asked for something that its spec does not name, or that cannot be recorded in this order."""


class TooLate(TrainerError):
    """Another worker has taken the row or holds the lease."""


class FolderInUse(TrainerError):
    """Somebody works in the attempt's folder."""

    def __init__(self, folder: str) -> None:
        super().__init__(f"somebody works in {folder}")
        self.folder = folder


class GaveUp(TrainerError):
    """Told to stop trying before it worked."""
