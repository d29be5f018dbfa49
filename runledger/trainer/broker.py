"""The broker by its address, set up for trainings that take days.

No middleware: no retries (a new attempt is the domain's decision), no time limit, no age limit.
In memory, it lives within the worker; that is legitimate only because the log is the truth.
"""

from __future__ import annotations

from typing import Any

import dramatiq
from dramatiq.brokers.stub import StubBroker
from dramatiq.common import dq_name

from runledger.tracker.errors import BadSetting

MEMORY = "memory://"
IDLE_MILLISECONDS = 1_000
REDIS_IDLE_MILLISECONDS = 200
"""Redis pushes nothing: an idle worker asks it less and less often, down to once in so long."""
PREFETCH = 1
"""Counting the message at work: a second one would be hostage of a long training."""


def open_broker(url: str, namespace: str) -> dramatiq.Broker:
    """Connects to nothing yet. Raises `BadSetting` for an address that is no broker's."""
    scheme = _scheme(url)
    if url == MEMORY:
        return StubBroker(middleware=[])
    if _is_redis(url):
        return _redis_broker(url, namespace)
    if scheme in ("amqp", "amqps"):
        from dramatiq.brokers.rabbitmq import RabbitmqBroker

        return RabbitmqBroker(url=url, confirm_delivery=True, middleware=[])
    raise BadSetting("RUNLEDGER_BROKER_URL", f"not memory://, redis:// or amqp://: {scheme}")


def open_worker(broker: dramatiq.Broker, threads: int, url: str = MEMORY) -> dramatiq.Worker:
    """For a broker of this address."""
    idle = REDIS_IDLE_MILLISECONDS if _is_redis(url) else IDLE_MILLISECONDS
    worker = dramatiq.Worker(broker, worker_threads=threads, worker_timeout=idle)
    worker.queue_prefetch = PREFETCH * threads
    return worker


def _redis_broker(url: str, namespace: str) -> dramatiq.Broker:
    from dramatiq.brokers.redis import RedisBroker

    class Broker(RedisBroker):  # type: ignore[misc]
        """Asks seldom for delayed messages: nobody sends any, and each time costs as much as a real one."""

        def consume(self, queue_name: str, prefetch: int = 1, timeout: int = IDLE_MILLISECONDS) -> Any:
            idle = IDLE_MILLISECONDS if queue_name == dq_name(queue_name) else timeout
            return super().consume(queue_name, prefetch, idle)

    return Broker(url=url, namespace=namespace, middleware=[])


def _is_redis(url: str) -> bool:
    return _scheme(url) in ("redis", "rediss")


def _scheme(url: str) -> str:
    return url.partition("://")[0]
