"""The broker by its address, set up for trainings that take days.

No middleware: no retries (a new attempt is the domain's decision), no time limit, no age limit.
In memory, it lives within the worker; that is legitimate only because the log is the truth.
"""

from __future__ import annotations

import dramatiq
from dramatiq.brokers.stub import StubBroker

from tracker.errors import BadSetting

MEMORY = "memory://"
PREFETCH = 1
"""Counting the message at work: a second one would be hostage of a long training."""


def open_broker(url: str, namespace: str) -> dramatiq.Broker:
    """Connects to nothing yet. Raises `BadSetting` for an address that is no broker's."""
    scheme = url.partition("://")[0]
    if url == MEMORY:
        return StubBroker(middleware=[])
    if scheme in ("redis", "rediss"):
        from dramatiq.brokers.redis import RedisBroker

        return RedisBroker(url=url, namespace=namespace, middleware=[])
    if scheme in ("amqp", "amqps"):
        from dramatiq.brokers.rabbitmq import RabbitmqBroker

        return RabbitmqBroker(url=url, confirm_delivery=True, middleware=[])
    raise BadSetting("RUNLEDGER_BROKER_URL", f"not memory://, redis:// or amqp://: {scheme}")


def open_worker(broker: dramatiq.Broker, threads: int) -> dramatiq.Worker:
    worker = dramatiq.Worker(broker, worker_threads=threads)
    worker.queue_prefetch = PREFETCH * threads
    return worker
