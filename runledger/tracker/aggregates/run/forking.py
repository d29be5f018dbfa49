"""Where a fork begins, and what it asks for otherwise than the run that it is forked from."""

from __future__ import annotations

import msgspec

from runledger.tracker.aggregates import errors
from runledger.tracker.aggregates.run.state import Checkpoint, Run
from runledger.tracker.events.base import ForkPoint
from runledger.tracker.ids import RunId
from runledger.tracker.spec import RunSpec, Scalar

RECIPE = "recipe"
"""Stands for the source of the recipe among what has changed."""


def fork_point(run: Run, run_id: RunId, spec: RunSpec, step: int | None = None) -> ForkPoint:
    """The checkpoint at `step`, or the last one, for a run of this spec. Raises `CheckpointNotKept`.

    Where several attempts have saved at the step, it is the one on the line, else the newest.
    """
    found = _found(run, step)
    if found is None:
        raise errors.CheckpointNotKept(run_id, step)
    return ForkPoint(
        run_id=run_id, step=found.step, digest=found.digest, changed=changes(run.requested.spec, spec)
    )


def _found(run: Run, step: int | None) -> Checkpoint | None:
    kept = [each for each in run.checkpoints if not each.is_deleted and step in (None, each.step)]
    on_line = [each for each in kept if each.is_on_line]
    return next(reversed(on_line or kept), None)


def changes(before: RunSpec, after: RunSpec) -> tuple[str, ...]:
    """The params that differ, as `spec.<param>`, after the recipe where its source does."""
    old, new = before.params(), after.params()
    keys = sorted(key for key in old.keys() | new.keys() if _written(old, key) != _written(new, key))
    recipe = (RECIPE,) if (before.recipe, before.digest) != (after.recipe, after.digest) else ()
    return (*recipe, *(f"spec.{key}" for key in keys))


def _written(params: dict[str, Scalar], key: str) -> bytes:
    """1, 1.0 and true are three values, and NaN is itself."""
    return msgspec.msgpack.encode(params[key]) if key in params else b""
