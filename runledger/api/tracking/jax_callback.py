"""Metrics from inside of compiled jax code: what a jitted step computes is logged when it is there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from runledger.api.tracking import values
from runledger.api.tracking.errors import Misused
from runledger.api.tracking.tracked_run import TrackedRun

logger = logging.getLogger(__name__)


def jax_callback(
    run: TrackedRun, *, every: int = 1, ordered: bool = False
) -> Callable[[Mapping[str, Any], Any], None]:
    """A function of (metrics, step) to call from jitted, scanned or looped code; both may be traced.

    `every` leaves out the steps that it does not divide, on the device. `ordered` keeps the order of the
    calls, which jax offers on one device only. The run waits for what is under way before it keeps a
    checkpoint and before it ends.
    """
    import jax  # whoever calls this has imported it

    if every < 1:
        raise Misused(f"every is at least 1, not {every}")

    def log(metrics: Mapping[str, Any], step: Any) -> None:
        found = {key: _one_element(key, value) for key, value in metrics.items()}

        def tell() -> None:
            jax.debug.callback(_logs_to(run), found, step, ordered=ordered)

        if every == 1:
            tell()
        else:
            jax.lax.cond(step % every == 0, tell, lambda: None)

    run.wait_for(jax.effects_barrier)
    return log


def _one_element(key: object, value: Any) -> Any:
    """Checked while jax traces, since a callback can refuse nothing any more."""
    if getattr(value, "size", 1) != 1:
        raise TypeError(f"{key!r} is not one number but an array of shape {value.shape}")
    values.metric_key(key)
    return value


def _logs_to(run: TrackedRun) -> Callable[[Mapping[str, Any], Any], None]:
    def log(metrics: Mapping[str, Any], step: Any) -> None:
        try:
            run.log(metrics, step=step)
        except (Misused, TypeError) as problem:  # raised here it would end the computation
            logger.warning("run %s: not logged: %s", run.id, problem)

    return log
