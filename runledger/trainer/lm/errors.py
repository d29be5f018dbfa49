"""What the `lm` recipe raises on purpose.

LmError
├── BadData             a dataset that the spec cannot be trained or evaluated on
├── Overlap             training data and benchmark share items
├── WrongCheckpoint     a checkpoint that was not written by a run of this spec
└── Diverged            the loss or the gradient is not a finite number any more
"""

from __future__ import annotations

from collections.abc import Sequence

from runledger.trainer import recipe


class LmError(Exception):
    """Base of all errors of this recipe."""


class BadData(LmError):
    """The data does not fit the spec; the message names the item and the key."""


class Overlap(LmError):
    """Items of the benchmark stand in the training data, by id or by what they ask."""

    def __init__(self, item_ids: Sequence[str], total: int) -> None:
        shown = ", ".join(item_ids[:5]) + (", …" if len(item_ids) > 5 else "")
        super().__init__(f"{len(item_ids)} of {total} benchmark items are in the training data: {shown}")
        self.item_ids = tuple(item_ids)
        self.total = total


class WrongCheckpoint(LmError):
    """The checkpoint does not fit the spec."""


class Diverged(LmError, recipe.Diverged):
    """Training has left the finite numbers; the state after `step` is of no use."""

    def __init__(self, step: int, loss: float, grad_norm: float) -> None:
        super().__init__(f"diverged at step {step}: loss {loss}, gradient norm {grad_norm}")
        self.step = step
        self.loss = loss
        self.grad_norm = grad_norm
