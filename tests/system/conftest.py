"""Brokers, an MLflow server and whole installations for the system tests. All are ended and cleaned up."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pika
import pytest
import redis

from runledger.api.cli.preflight import free_port
from runledger.api.cli.processes import Process
from runledger.api.cli.programs import child_environment, mlflow_server
from runledger.api.cli.settings import UpSettings
from tests.conftest import Databases, missing
from tests.system.installation import Installation, clean_environment, until

REDIS_URL = os.environ.get("RUNLEDGER_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
RABBITMQ_URL = os.environ.get("RUNLEDGER_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672/")

Install = Callable[..., Installation]


class MlflowServer:
    """A stock server that can be stopped and come back with what it has."""

    def __init__(self, folder: Path) -> None:
        settings = UpSettings(data=folder, mlflow_port=free_port())
        environment = child_environment(settings, clean_environment(), with_mlflow=True)
        self.url = f"http://127.0.0.1:{settings.mlflow_port}"
        self._process = Process(mlflow_server(settings, environment), folder)

    def start(self) -> None:
        self._process.start()
        until(self._process.program.is_ready, 120, "the MLflow server")

    def stop(self) -> None:
        self._process.stop()


@pytest.fixture(scope="session")
def mlflow_server_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def mlflow_of_this_test(tmp_path: Path) -> Iterator[MlflowServer]:
    """One that a test may stop and start."""
    server = MlflowServer(tmp_path / "mlflow-server")
    yield server
    server.stop()


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    """Starts installations: `install(environment, *options)`.

    A test names it after its database and broker, so that these are cleaned up after all has ended.
    """
    made: list[Installation] = []

    def start(environment: dict[str, str] | None = None, *options: str) -> Installation:
        data = tmp_path / f"data-{len(made)}"
        made.append(Installation(data, environment or {}, options))
        return made[-1].wait_until_up()

    yield start
    for installation in made:
        installation.close()


@pytest.fixture
def queue() -> str:
    """The name under which everything of this test lies in a broker."""
    return f"runledger-test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def redis_broker(queue: str) -> Iterator[dict[str, str]]:
    client = redis.Redis.from_url(REDIS_URL)
    try:
        client.ping()
    except redis.ConnectionError as problem:
        missing(f"Redis at {REDIS_URL}: {problem}")
    yield {"RUNLEDGER_BROKER_URL": REDIS_URL, "RUNLEDGER_QUEUE": queue}
    if keys := list(client.scan_iter(f"{queue}*")):
        client.delete(*keys)
    client.close()


@pytest.fixture
def rabbitmq_broker(queue: str) -> Iterator[dict[str, str]]:
    try:
        connection = pika.BlockingConnection(pika.URLParameters(RABBITMQ_URL))
    except pika.exceptions.AMQPConnectionError as problem:
        missing(f"RabbitMQ at {RABBITMQ_URL}: {problem!r}")
    connection.close()
    yield {"RUNLEDGER_BROKER_URL": RABBITMQ_URL, "RUNLEDGER_QUEUE": queue}
    connection = pika.BlockingConnection(pika.URLParameters(RABBITMQ_URL))
    for suffix in ("", ".DQ", ".XQ"):
        connection.channel().queue_delete(f"{queue}{suffix}")
    connection.close()


@pytest.fixture
def postgresql(postgresql_databases: Databases) -> dict[str, str]:
    return {"RUNLEDGER_LEDGER_URL": postgresql_databases.empty()}


@pytest.fixture(params=["sqlite-memory", "postgresql-redis", "postgresql-rabbitmq"])
def infrastructure(request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment that chooses database and broker; runs the test once for each pair."""
    database, broker = request.param.split("-")
    environment: dict[str, str] = {}
    if database == "postgresql":
        environment |= request.getfixturevalue("postgresql")
    if broker != "memory":
        environment |= request.getfixturevalue(f"{broker}_broker")
    return environment
