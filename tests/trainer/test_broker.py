"""Brokers: what goes in wakes a worker, once the broker is there, and nothing but a wake-up is in it."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Iterator

import pika
import pytest
import redis

from runledger.tracker.errors import BadSetting
from runledger.trainer import actors
from runledger.trainer.broker import IDLE_MILLISECONDS, open_broker, open_worker
from tests.conftest import missing
from tests.trainer.world import World

REDIS_URL = os.environ.get("RUNLEDGER_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
RABBITMQ_URL = os.environ.get("RUNLEDGER_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672")


@pytest.fixture
def queue() -> str:
    return f"runledger-test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def redis_url(queue: str) -> Iterator[str]:
    client = redis.Redis.from_url(REDIS_URL)
    try:
        client.ping()
    except redis.ConnectionError as problem:
        missing(f"Redis at {REDIS_URL}: {problem}")
    yield REDIS_URL
    for key in client.scan_iter(f"{queue}*"):
        client.delete(key)
    client.close()


@pytest.fixture
def rabbitmq_url(queue: str) -> Iterator[str]:
    try:
        connection = pika.BlockingConnection(pika.URLParameters(RABBITMQ_URL))
    except pika.exceptions.AMQPConnectionError as problem:
        missing(f"RabbitMQ at {RABBITMQ_URL}: {problem!r}")
    yield RABBITMQ_URL
    with connection:
        channel = connection.channel()
        for suffix in ("", ".DQ", ".XQ"):
            channel.queue_delete(f"{queue}{suffix}")


@pytest.fixture(params=["memory", "redis", "rabbitmq"])
def broker_url(request: pytest.FixtureRequest) -> str:
    if request.param == "memory":
        return "memory://"
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def test_a_message_wakes_a_worker(broker_url: str, queue: str) -> None:
    woken = threading.Event()
    seen: list[tuple[str, int]] = []

    def wake(run_id: str, attempt: int) -> None:
        seen.append((run_id, attempt))
        woken.set()

    broker = open_broker(broker_url, queue)
    actor = actors.declare(broker, queue, wake)
    worker = open_worker(broker, 1)
    worker.start()
    try:
        message = actor.send("5f" * 16, 2)
        assert woken.wait(30)
    finally:
        worker.stop()
        broker.close()
    assert seen == [("5f" * 16, 2)]
    assert (message.args, message.kwargs) == (("5f" * 16, 2), {})


def test_a_message_that_fails_is_not_tried_again(queue: str) -> None:
    calls: list[int] = []

    def wake(run_id: str, attempt: int) -> None:
        calls.append(attempt)
        raise RuntimeError("a fault in the worker")

    broker = open_broker("memory://", queue)
    actor = actors.declare(broker, queue, wake)
    worker = open_worker(broker, 1)
    worker.start()
    actor.send("5f" * 16, 1)
    broker.join(queue, fail_fast=False, timeout=10_000)
    worker.stop()
    assert calls == [1]


def test_redis_is_seldom_asked_for_delayed_messages_which_nobody_sends(queue: str) -> None:
    broker = open_broker(REDIS_URL, queue)
    waits = [broker.consume(name, timeout=200).timeout for name in (queue, f"{queue}.DQ")]
    assert waits == [200, IDLE_MILLISECONDS]


def test_an_unknown_broker_is_named() -> None:
    with pytest.raises(BadSetting, match=r"RUNLEDGER_BROKER_URL.*kafka"):
        open_broker("kafka://somewhere", "q")


@pytest.mark.system
@pytest.mark.parametrize("broker_url", ["redis", "rabbitmq"], indirect=True)
def test_a_run_is_trained_through_a_broker(postgresql_world: World, broker_url: str, queue: str) -> None:
    world = postgresql_world
    workers = [world.start_worker(name, broker_url=broker_url, queue=queue) for name in ("one", "two")]
    runs = [world.request(steps=10, step_seconds=0.02) for _ in range(3)]
    for run_id in runs:
        assert len(world.wait_for(run_id, "completed").attempts) == 1
    assert [worker.drain() for worker in workers] == [0, 0]
