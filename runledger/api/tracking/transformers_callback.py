"""The callback of Hugging Face's `Trainer`: what it logs and saves is the run's.

Needs `transformers`, not torch: only the trainer itself does.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from runledger.api.tracking.errors import Misused
from runledger.api.tracking.tracked_run import TrackedRun
from runledger.api.tracking.values import params, same
from runledger.tracker.spec import Scalar

logger = logging.getLogger(__name__)


class TransformersCallback(TrainerCallback):  # type: ignore[misc]
    """`Trainer(…, callbacks=[runledger.TransformersCallback(run)])`.

    Logs each number, keeps each checkpoint that the trainer saves, records its arguments as params, and
    stops it, with a checkpoint, when the tracker asks for that. Only the first process of all tells.
    Ending the run stays with whoever began it. To go on:
    `trainer.train(resume_from_checkpoint=run.checkpoint_folder)`.
    """

    def __init__(self, run: TrackedRun) -> None:
        self._run = run
        self._saved_step = run.checkpoint_step

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if not state.is_world_process_zero:
            return
        found = _storable(args.to_dict())
        kept = {
            key for key, value in self._run.known_params.items() if not same(found.get(key, value), value)
        }
        if kept:  # a trainer that goes on with other arguments does not end for that
            logger.warning("run %s keeps the params it has: %s", self._run.id, ", ".join(sorted(kept)))
        self._run.params({key: value for key, value in found.items() if key not in kept})

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **more: Any
    ) -> None:
        if state.is_world_process_zero and logs:
            numbers = {
                key: value
                for key, value in logs.items()
                if isinstance(value, (int, float)) and not isinstance(value, bool)
            }
            self._run.log(numbers, step=state.global_step)

    def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if not state.is_world_process_zero or state.global_step == self._saved_step:
            return
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if not folder.is_dir():
            logger.warning("run %s: the trainer has saved nothing in %s", self._run.id, folder)
            return
        self._run.checkpoint(folder, step=state.global_step, loss=_last_loss(state))
        self._saved_step = state.global_step

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> Any:
        if self._run.should_stop():
            control.should_save = True
            control.should_training_stop = True
        return control


def _storable(arguments: Mapping[str, Any]) -> dict[str, Scalar]:
    """The arguments that are values; a trainer takes objects too."""
    found: dict[str, Scalar] = {}
    for key, value in arguments.items():
        with contextlib.suppress(Misused, TypeError):
            found |= params({key: value})
    return found


def _last_loss(state: Any) -> float | None:
    """The last that was logged of training, if it is a number."""
    for entry in reversed(state.log_history):
        loss = entry.get("loss")
        if isinstance(loss, (int, float)) and math.isfinite(loss):
            return float(loss)
    return None
