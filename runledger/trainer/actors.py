"""The one actor: its message carries ids only and merely wakes a worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dramatiq

from runledger.tracker.ids import RunId, Stream, id_of

Wake = Callable[[str, int], None]


def declare(broker: dramatiq.Broker, queue: str, wake: Wake) -> dramatiq.Actor[Any, Any]:
    """`wake(run_id, attempt)` blocks while a training runs: an early ack would start a second one."""

    def train(run_id: str, attempt: int) -> None:
        wake(run_id, attempt)

    return dramatiq.actor(train, broker=broker, queue_name=queue, actor_name="train")


def message(stream: Stream, attempt: int) -> tuple[RunId, int]:
    """What is sent for a dispatch row."""
    return RunId(id_of(stream)), attempt
