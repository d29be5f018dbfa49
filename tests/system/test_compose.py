"""compose.yaml, run: its very commands, environments and health checks, without the engine.

PostgreSQL and RabbitMQ are those of this machine, in databases, roles and a virtual host of the test's own;
Redis is started by the file's own command.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, make_url

from runledger.api.client import Client
from runledger.migrations.roles import PROCESSES
from tests.conftest import POSTGRESQL_URL, connect_postgresql, missing
from tests.system.composing import OURS, Missing, Stack, interpolate, read
from tests.system.conftest import RABBITMQ_URL
from tests.system.installation import TOY, until
from tests.system.mirror import assert_mirrored, mlflow_client
from tests.system.requests import toy

pytestmark = pytest.mark.system

PASSWORDS = tuple(
    f"RUNLEDGER_{who}_PASSWORD"
    for who in ("POSTGRES", "OWNER", "API", "WORKER", "PROJECTIONS", "SINK", "MLFLOW", "REDIS")
)
RABBITMQ_PASSWORD = "RUNLEDGER_RABBITMQ_PASSWORD"
JOBS = ("databases", "migrate")
PROCESSES_OF_OURS = ("mlflow", "api", "projections", "mlflow-sink", "worker")


def given() -> dict[str, str]:
    return {name: secrets.token_hex(24) for name in PASSWORDS}


class Names:
    """What an engine keeps apart for each installation, and a server that all share does not."""

    def __init__(self, server: URL) -> None:
        self.prefix = f"runledger_test_{os.getpid()}_{uuid.uuid4().hex[:8]}"
        self._server = server
        self.address = f"{server.host or '127.0.0.1'}:{server.port or 5432}"

    @property
    def roles(self) -> list[str]:
        return [*(f"{self.prefix}_{process}" for process in PROCESSES), self.prefix, f"{self.prefix}_mlflow"]

    @property
    def overridden(self) -> dict[str, dict[str, str]]:
        host, port = self.address.split(":")
        server = {"PGHOST": host, "PGPORT": port, "PGUSER": self._server.username or "postgres"}
        if self._server.password is not None:
            server["PGPASSWORD"] = str(self._server.password)
        return {
            "databases": {**server, "PGDATABASE": self._server.database or "postgres"},
            "postgres": {"PGPORT": port},
            "migrate": {"RUNLEDGER_ROLE_PREFIX": self.prefix},
        }

    def rename(self, text: str) -> str:
        if text.startswith("exec psql"):
            return re.sub(r"\bmlflow\b", f"{self.prefix}_mlflow", re.sub(r"\brunledger\b", self.prefix, text))
        address = (
            r"(postgresql(?:\+psycopg)?)://(runledger|mlflow)(\w*):(\w+)@postgres:5432/(runledger|mlflow)$"
        )
        return re.sub(address, self._address, text)

    def _address(self, found: re.Match[str]) -> str:
        driver, user, process, password, database = found.groups()
        own = {"runledger": self.prefix, "mlflow": f"{self.prefix}_mlflow"}
        return f"{driver}://{own[user]}{process}:{password}@{self.address}/{own[database]}"


@pytest.fixture
def names() -> Iterator[Names]:
    """Of databases and roles that are gone after the test."""
    try:
        server = connect_postgresql(autocommit=True)
    except psycopg.OperationalError as problem:
        missing(f"PostgreSQL at {POSTGRESQL_URL}: {problem}")
    names = Names(make_url(POSTGRESQL_URL))
    with server:
        yield names
        for database in (names.prefix, f"{names.prefix}_mlflow"):
            server.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        for role in names.roles:
            server.execute(f"DROP ROLE IF EXISTS {role}")


@pytest.fixture
def virtual_host() -> Iterator[str]:
    """Of RabbitMQ, with a user of its own: the address of both."""
    if shutil.which("rabbitmqctl") is None:
        missing("rabbitmqctl, to make a virtual host")
    name, password = f"runledger-test-{uuid.uuid4().hex[:12]}", secrets.token_hex(16)
    address = make_url(RABBITMQ_URL)

    def control(*words: str) -> None:
        subprocess.run(["rabbitmqctl", "--quiet", *words], check=True, timeout=120, capture_output=True)

    control("add_vhost", name)
    control("add_user", name, password)
    control("set_permissions", "--vhost", name, name, ".*", ".*", ".*")
    yield f"amqp://{name}:{password}@{address.host}:{address.port or 5672}/{name}"
    control("delete_user", name)
    control("delete_vhost", name)


def up(stack: Stack, *, broker: str) -> Client:
    """As docs/how-to/deploy.md has it: the jobs, a token, then everything."""
    stack.await_health("postgres")
    for job in JOBS:
        stack.job(job)
    token = stack.run("migrate", "token", "create", "you")
    assert token.returncode == 0, token.stderr
    for name in ("redis", *PROCESSES_OF_OURS):
        stack.start(name)
    for name in (broker, *PROCESSES_OF_OURS):
        stack.await_health(name)
    return Client(f"http://127.0.0.1:{stack.ports['api']}", token.stdout.split()[-1], retry_seconds=30)


@pytest.mark.timeout(500)
@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_a_run_goes_through_all_of_it(
    broker: str, names: Names, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    environ = {**given(), "RUNLEDGER_RECIPES": TOY, "RUNLEDGER_WORKER_LABELS": "room=7"}
    if broker == "rabbitmq":
        environ["RUNLEDGER_BROKER_URL"] = request.getfixturevalue("virtual_host")
    stack = Stack(tmp_path, environ, names.rename, names.overridden)
    try:
        with up(stack, broker=broker) as ledger:
            launched = ledger.launch(**toy(), worker_labels={"room": "7"})
            run = ledger.wait(launched.run_id, timeout_seconds=120)
            assert run.status == "completed", stack.said("worker")
            assert_mirrored(ledger, mlflow_client(f"http://127.0.0.1:{stack.ports['mlflow']}"), run)
            until(lambda: is_sealed(stack), 60, "the seal")
            health = ledger.health()
            assert (health.status, health.problems) == ("ok", [])
            compared = stack.run("mlflow-sink", "mlflow", "diff", entrypoint="runledger")
            assert compared.returncode == 0, compared.stdout + compared.stderr
        assert users_of(names) >= {*names.roles} - {names.prefix}
        for name in PROCESSES_OF_OURS:
            assert stack.check(name).returncode == 0
            assert stack.stop(name) == 0, stack.said(name)
            assert stack.check(name).returncode != 0
    finally:
        stack.close()


def is_sealed(stack: Stack) -> bool:
    """As who may read the log, and has the key."""
    done = stack.run("projections", "verify", "--json", entrypoint="runledger")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return bool(found["sealed"] == found["events"] > 0)


def users_of(names: Names) -> set[str]:
    """Who is connected to the test's databases."""
    with connect_postgresql() as server:
        rows = server.execute(
            "SELECT DISTINCT usename FROM pg_stat_activity WHERE starts_with(datname, %s)", [names.prefix]
        )
        return {name for (name,) in rows}


def test_the_jobs_may_be_run_again_and_set_new_passwords(names: Names, tmp_path: Path) -> None:
    for _ in range(2):
        stack = Stack(tmp_path, given(), names.rename, names.overridden)
        for job in JOBS:
            said = stack.job(job)
        assert f"ledger is open to {names.prefix}_api" in said


def test_redis_lets_nobody_in_without_the_password(tmp_path: Path, names: Names) -> None:
    stack = Stack(tmp_path, given(), names.rename, names.overridden)
    try:
        stack.start("redis")
        stack.await_health("redis")
        asked = subprocess.run(
            ["redis-cli", "-p", str(stack.ports["redis"]), "ping"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "NOAUTH" in asked.stdout
        assert secrets_in_words(stack.running["redis"].pid, stack) == []
    finally:
        stack.close()


def secrets_in_words(pid: int, stack: Stack) -> list[str]:
    """Passwords that everybody on the machine can read off a process's command line."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    return [value for value in stack.environment("redis").values() if len(value) == 48 and value in words]


def test_rabbitmq_refuses_to_start_without_a_password(tmp_path: Path, names: Names) -> None:
    """What its image starts is stood for by a script that says that it was reached."""
    stub = tmp_path / "docker-entrypoint.sh"
    stub.write_text('#!/bin/sh\necho "started $1 as $RABBITMQ_DEFAULT_USER"\n')
    stub.chmod(0o755)
    for more, status, said in (
        ({}, 78, "RUNLEDGER_RABBITMQ_PASSWORD"),
        ({RABBITMQ_PASSWORD: "x"}, 0, "started rabbitmq-server as runledger"),
    ):
        stack = Stack(tmp_path, {**given(), **more}, names.rename, {})
        ended = subprocess.run(
            stack.words("rabbitmq"),
            env={**stack.environment("rabbitmq"), "PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ended.returncode, said in ended.stdout + ended.stderr) == (status, True)


@pytest.mark.parametrize("variable", PASSWORDS)
def test_what_has_no_safe_default_is_asked_for_by_name_and_meaning(variable: str) -> None:
    with pytest.raises(Missing) as problem:
        read({name: value for name, value in given().items() if name != variable})
    assert problem.value.args[0] == variable
    assert problem.value.args[1].startswith("the password of ")


def test_no_password_has_a_default() -> None:
    text = (Path(__file__).parents[2] / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{(\w*PASSWORD)(:?[-?])", text))
    assert asked == {(name, ":?") for name in PASSWORDS} | {(RABBITMQ_PASSWORD, "-")}


def test_every_service_is_watched_comes_back_and_is_no_more_than_it_needs() -> None:
    services: dict[str, dict[str, Any]] = read(given())["services"]
    for name, service in services.items():
        if name in JOBS:
            assert service["restart"] == "no"
        else:
            assert service["restart"] == "unless-stopped"
            assert service["healthcheck"]["test"]
        if service["image"] == OURS:
            assert service["cap_drop"] == ["ALL"]
            assert "user" not in service  # the image's, which is not root
        assert ":latest" not in service["image"] and ":" in service["image"]
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_only_the_projections_see_the_key_that_signs_seals() -> None:
    document = read(given())
    mounts = {name: service.get("volumes", []) for name, service in document["services"].items()}
    assert [name for name, of in mounts.items() if any(one.startswith("seals:") for one in of)] == [
        "projections"
    ]
    assert {one.split(":")[0] for of in mounts.values() for one in of} == set(document["volumes"])


def test_no_process_is_given_the_password_of_another() -> None:
    """Each knows its own role's, and workers the broker's."""
    environ = given()
    services = read(environ)["services"]
    known = {
        name: {
            variable
            for variable, password in environ.items()
            if any(password in str(value) for value in services[name].get("environment", {}).values())
        }
        for name in PROCESSES_OF_OURS
    }
    assert known == {
        "mlflow": {"RUNLEDGER_MLFLOW_PASSWORD"},
        "api": {"RUNLEDGER_API_PASSWORD"},
        "projections": {"RUNLEDGER_PROJECTIONS_PASSWORD"},
        "mlflow-sink": {"RUNLEDGER_SINK_PASSWORD"},
        "worker": {"RUNLEDGER_WORKER_PASSWORD", "RUNLEDGER_REDIS_PASSWORD"},
    }


def test_the_image_runs_as_nobody_special_and_owns_what_it_writes_to() -> None:
    lines = (Path(__file__).parents[2] / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["10001"]
    mounted = {
        mount.split(":")[1]
        for service in read(given())["services"].values()
        if service["image"] == OURS
        for mount in service.get("volumes", [])
    }
    (made,) = (line.split() for line in lines if "install -d -o runledger" in line)
    assert mounted <= set(made)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${A}", "a"),
        ("${A:-b}${B:-b}${EMPTY:-b}${EMPTY-b}", "abb"),
        ("${B:-x:${A:?words}@}y", "x:a@y"),
        ("$$A ${B-}", "$A "),
    ],
)
def test_variables_are_filled_in_as_compose_does(text: str, filled: str) -> None:
    assert interpolate(text, {"A": "a", "EMPTY": ""}) == filled
