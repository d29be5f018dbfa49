"""Roles on PostgreSQL: each kind of process does its work under its own, and none can change the past."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, inspect, make_url, select, text

from runledger.api import tokens
from runledger.api.writing import idempotency
from runledger.migrations import upgrade_ledger, upgrade_views
from runledger.migrations.roles import (
    LEDGER_PRIVILEGES,
    PROCESSES,
    RoleSettings,
    make_roles,
    refresh_grants,
)
from runledger.projections.builds import reading as reading_views
from runledger.projections.catalogue import PROJECTIONS
from runledger.projections.mlflow.state import LEASE, RunState, SinkState
from runledger.projections.rebuilding import rebuild
from runledger.projections.runner import Runner
from runledger.tracker.envelope import Fence
from runledger.tracker.errors import Fenced, StoreUnavailable, WrongExpectedVersion
from runledger.tracker.ids import Stream, WorkerId
from runledger.tracker.seal.place import Place
from runledger.tracker.seal.rows import note_problem
from runledger.tracker.seal.sealer import Sealer
from runledger.tracker.seal.state import seal_state
from runledger.tracker.store import announcements, dispatches, hints, leases
from runledger.tracker.store.cursors import advance
from runledger.tracker.store.dispatches import Dispatch
from runledger.tracker.store.engine import open_ledger, open_views, read, write
from runledger.tracker.store.log import Log
from runledger.tracker.store.tables import cursors
from runledger.tracker.store.tables import ledger as declared
from tests.conftest import POSTGRESQL_URL, Databases, connect_postgresql
from tests.projections.conftest import Story, requested, rows_of
from tests.projections.lives import tell_lives
from tests.tracker.store.samples import noted, to

WRITERS = ("api", "worker")
LOG = ("events", "log_info", "seals")
CHANGES = (
    "UPDATE ledger.{table} SET {column} = {column}",
    "DELETE FROM ledger.{table}",
    "TRUNCATE ledger.{table}",
    "DROP TABLE ledger.{table}",
    "ALTER TABLE ledger.{table} ADD COLUMN more text",
    "ALTER TABLE ledger.{table} DISABLE TRIGGER {table}_refuse_change",
    "ALTER TABLE ledger.{table} DISABLE TRIGGER ALL",
    "DROP TRIGGER {table}_refuse_change ON ledger.{table}",
    "ALTER TABLE ledger.{table} OWNER TO CURRENT_USER",
    "CREATE RULE nothing AS ON INSERT TO ledger.{table} DO INSTEAD NOTHING",
    "CREATE TRIGGER another BEFORE INSERT ON ledger.{table} EXECUTE FUNCTION ledger.refuse_change()",
)
BEYOND = (
    "CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql "
    "AS 'BEGIN RETURN NEW; END'",
    "DROP FUNCTION ledger.refuse_change() CASCADE",
    "DROP SCHEMA ledger CASCADE",
    "CREATE TABLE ledger.more (id int)",
    "DELETE FROM ledger.head",
    "TRUNCATE ledger.head",
    "SET session_replication_role = replica",
    "CREATE ROLE somebody",
)


@pytest.fixture
def database_kind() -> str:
    return "postgresql"


@pytest.fixture
def settings(database_urls: tuple[str, str]) -> Iterator[RoleSettings]:
    """Roles of this test alone, made in its database: they belong to the whole server."""
    settings = RoleSettings(
        role_prefix=f"runledger_test_{os.getpid()}_{uuid.uuid4().hex[:8]}",
        api_password="of-the-api",
        worker_password="of-workers",
        projections_password="of-projections",
        sink_password="of-the-sink",
    )
    for engine in (open_ledger(database_urls[0]), open_views(database_urls[1])):
        make_roles(engine, settings)
        engine.dispose()
    yield settings
    with connect_postgresql(database_urls[0], autocommit=True) as owner:
        for process in PROCESSES:
            role = settings.role(process)
            owner.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s", [role]
            )
            owner.execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER")
            owner.execute(f"DROP OWNED BY {role}")
            owner.execute(f"DROP ROLE {role}")


As = Callable[[str], tuple[Engine, Engine]]


@pytest.fixture
def as_process(database_urls: tuple[str, str], settings: RoleSettings) -> Iterator[As]:
    """Ledger and views, as a process of this kind opens them."""
    opened: list[Engine] = []

    def connect(process: str) -> tuple[Engine, Engine]:
        urls = (as_role(url, settings, process) for url in database_urls)
        engines = tuple(
            open_side(url) for open_side, url in zip((open_ledger, open_views), urls, strict=True)
        )
        opened.extend(engines)
        return engines[0], engines[1]

    yield connect
    for engine in opened:
        engine.dispose()


def as_role(url: str, settings: RoleSettings, process: str) -> str:
    role = make_url(url).set(username=settings.role(process), password=settings.password(process))
    return role.render_as_string(hide_password=False)


@pytest.mark.parametrize("process", WRITERS)
def test_callers_append_and_hold_leases_under_their_role(process: str, as_process: As) -> None:
    ledger, _ = as_process(process)
    with closing(Log(ledger)) as log:
        with write(ledger) as conn:
            epoch = leases.claim(conn, "run-1", 1, "holder", 30)
        assert epoch == 1
        fence = Fence(stream=Stream("run-1"), epoch=epoch)
        assert log.append(to("run-1", 0, noted("alone"))) == 1
        assert log.append(to("run-1", 1, noted("fenced")), fence=fence) == 2
        assert log.append(to("run-1", 2), to("run-2", 0)) == 4
        with pytest.raises(WrongExpectedVersion):
            log.append(to("run-1", 1))
        assert leases.renew(ledger, "run-1", epoch, 30, "training", 1, 2)
        with write(ledger) as conn:
            assert leases.revoke(conn, "run-1", epoch)
        with pytest.raises(Fenced):
            log.append(to("run-1", 3), fence=fence)
        assert [each.version for each in log.read("run-1")] == [1, 2, 3]
        with read(ledger) as conn:
            assert [lease.stream for lease in leases.expired(conn)] == []


@pytest.mark.parametrize("process", WRITERS)
def test_prepared_statements_the_careful_way_and_hints_work_under_each_role(
    process: str, as_process: As
) -> None:
    ledger, _ = as_process(process)
    hint = hints.listen(ledger)
    with closing(Log(ledger)) as log:
        hint.wait(0.01)
        for count in range(12):
            assert log.append(to(f"run-{count}", 0)) == count + 1
        hints.ring(ledger)
        assert hint.wait(10)
        assert log.append(to("run-0", 1), within=lambda conn: None) == 13
        assert log.head() == 13
        assert len(log.tail(0).events) == 13
    hint.close()


def test_a_worker_queues_sends_claims_and_announces(as_process: As) -> None:
    ledger, _ = as_process("worker")
    row = Dispatch(
        stream=Stream("run-1"),
        attempt=1,
        position=1,
        recipe="lm",
        recipe_digest="d",
        requested_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    me = announcements.Worker(worker_id=WorkerId("w1"), recipes=())
    with write(ledger) as conn:
        advance(conn, cursors, "relay", 0, 7)
        assert dispatches.add(conn, row)
        assert dispatches.mark_sent(conn, row.stream, 1)
        assert dispatches.best(conn, recipes=[("lm", "d")]) is not None
        assert dispatches.mark_claimed(conn, row.stream, 1)
        assert dispatches.mark_done(conn, row.stream, 1)
        announcements.announce(conn, me)
        announcements.announce(conn, me)
        assert announcements.touch(conn, "w1", "busy")
        assert announcements.forget_stale(conn, 3_600) == 0
        assert [each.state for each in announcements.workers(conn)] == ["busy"]
        announcements.withdraw(conn, "w1")
        advance(conn, cursors, "relay", 7, 9)


def test_projections_fold_and_seal_under_their_role(as_process: As, log: Log, tmp_path: Path) -> None:
    ledger, views = as_process("projections")
    tell_lives(Story(log), random.Random(7))
    with closing(Log(ledger)) as reading:
        Runner(reading, views).catch_up()
        assert rows_of(views) == rows_of(as_process("api")[1])
        rebuild(reading, views, grace_seconds=0.0)
        assert answers(views) == answers(as_process("api")[1])
        place = Place(f"file://{tmp_path}", log.log_id)
        assert Sealer(reading, place, Ed25519PrivateKey.generate()).seal() is not None
    note_problem(ledger, "as a trial")
    note_problem(ledger, "as another")


def test_what_the_owner_rebuilds_is_read_and_kept_up_by_the_others(
    as_process: As, log: Log, views: Engine
) -> None:
    story = Story(log)
    tell_lives(story, random.Random(7))
    Runner(log, views).catch_up()
    rebuild(log, views, grace_seconds=0.0)
    story.run("r9", requested())
    ledger, as_projections = as_process("projections")
    with closing(Log(ledger)) as reading:
        Runner(reading, as_projections).catch_up()
    assert answers(as_process("api")[1]) == answers(views)


def answers(views: Engine) -> dict[str, list[str]]:
    """The rows of the builds that answer."""
    with reading_views(views) as conn:
        return {
            table.name: sorted(repr(tuple(row)) for row in conn.execute(select(table)))
            for projection in PROJECTIONS
            for table in projection.tables
        }


def test_the_sink_remembers_and_holds_its_lease_under_its_role(as_process: As, log: Log) -> None:
    log.append(to("run-1", 0))
    ledger, views = as_process("sink")
    state = SinkState(views, "http://mlflow")
    state.begin([RunState(run_id="r1")], datetime(2026, 1, 1, tzinfo=UTC))
    state.advance(0, 1)
    state.save(RunState(run_id="r2"), points=3)
    state.note(datetime(2026, 1, 1, tzinfo=UTC), "away")
    state.forget()
    with write(ledger) as conn:
        assert leases.claim(conn, LEASE, 1, "sink", 10) == 1
    assert leases.renew(ledger, LEASE, 1, 10)
    with closing(Log(ledger)) as reading:
        assert [each.position for each in reading.tail(0).events] == [1]


def test_the_api_reads_views_keys_tokens_and_seals(as_process: As, ledger: Engine) -> None:
    tokens.create_token(ledger, "alice")
    as_api, views = as_process("api")
    assert tokens.has_tokens(as_api)
    with write(as_api) as conn:
        idempotency.claim(conn, "alice", "key", "print", idempotency.Done(run_id="r", experiment_id="e"))
    with read(as_api) as conn:
        assert idempotency.find(conn, "alice", "key", "print") is not None
        assert seal_state(conn).size == 0
        assert announcements.workers(conn) == []
        assert dispatches.waiting(conn) == []
    with read(views) as conn:
        for table in inspect(views).get_table_names(schema="views"):
            conn.execute(text(f"SELECT 1 FROM {table}"))
    with pytest.raises(StoreUnavailable, match="permission denied"), write(views) as conn:
        conn.execute(text("DELETE FROM runs_v1"))


@pytest.mark.parametrize("process", PROCESSES)
def test_nobody_changes_the_past(process: str, as_process: As, log: Log) -> None:
    log.append(to("run-1", 0))
    before = [(each.position, each.hash) for each in log.read("run-1")]
    engine, _ = as_process(process)
    columns = {"events": "payload", "log_info": "log_id", "seals": "note"}
    changes = [change.format(table=table, column=columns[table]) for table in LOG for change in CHANGES]
    refused = {}
    with connect_postgresql(psycopg_url(engine), autocommit=True) as connection:
        for table in _readable(process):
            connection.execute(
                f"GRANT ALL ON ledger.{table} TO CURRENT_USER"
            )  # a warning, and nothing granted
        for change in (*changes, *BEYOND):
            try:
                connection.execute(change)
            except psycopg.errors.InsufficientPrivilege as problem:
                refused[change] = problem
    assert [change for change in (*changes, *BEYOND) if change not in refused] == []
    assert [(each.position, each.hash) for each in log.read("run-1")] == before


def _readable(process: str) -> list[str]:
    return [table for table in LOG if table in LEDGER_PRIVILEGES[process]]


@pytest.mark.parametrize("process", ["projections", "sink"])
def test_who_only_reads_the_log_appends_nothing(process: str, as_process: As) -> None:
    ledger, _ = as_process(process)
    with closing(Log(ledger)) as log, pytest.raises(StoreUnavailable, match="permission denied"):
        log.append(to("run-1", 0))


def test_a_worker_sees_neither_views_nor_tokens(as_process: As) -> None:
    ledger, views = as_process("worker")
    for engine, table in ((views, "views.runs_v1"), (ledger, "api_tokens"), (ledger, "idempotency_keys")):
        with pytest.raises(StoreUnavailable, match="permission denied"), read(engine) as conn:
            conn.execute(text(f"SELECT * FROM {table}"))


def test_every_table_of_the_ledger_is_somebodys_or_nobodys_on_purpose() -> None:
    named = {table for privileges in LEDGER_PRIVILEGES.values() for table in privileges}
    assert named == set(declared.tables) | {"alembic_version"}


def test_nobody_owns_anything_of_the_ledger_or_is_more_than_it_needs(
    as_process: As, ledger: Engine, settings: RoleSettings
) -> None:
    statement = "SELECT count(*) FROM pg_tables WHERE schemaname = 'ledger' AND tableowner = ANY(:roles)"
    roles = [settings.role(process) for process in PROCESSES]
    with read(ledger) as conn:
        assert conn.scalar(text(statement), {"roles": roles}) == 0
        attributes = conn.execute(
            text(
                "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication "
                "FROM pg_roles WHERE rolname = ANY(:roles)"
            ),
            {"roles": roles},
        )
        assert [tuple(row) for row in attributes] == [(False,)] * 4


def test_passwords_are_kept_as_what_verifies_them_alone(ledger: Engine, settings: RoleSettings) -> None:
    with read(ledger) as conn:
        statement = "SELECT rolname, rolpassword FROM pg_authid WHERE starts_with(rolname, :prefix)"
        stored = dict(conn.execute(text(statement), {"prefix": settings.role_prefix}).all())
    for process in PROCESSES:
        password = settings.password(process)
        assert password is not None
        assert is_scram_of(stored[settings.role(process)], password)
        assert not is_scram_of(stored[settings.role(process)], password + "?")


def is_scram_of(stored: str, password: str) -> bool:
    """RFC 5803: `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`."""
    _, spent, keys = stored.split("$")
    iterations, salt = spent.split(":")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return base64.b64decode(keys.split(":")[0]) == hashlib.sha256(client_key).digest()


def test_a_role_without_a_password_is_a_group(ledger: Engine, database_urls: tuple[str, str]) -> None:
    settings = RoleSettings(role_prefix=f"runledger_test_{os.getpid()}_{uuid.uuid4().hex[:8]}")
    make_roles(ledger, settings)
    try:
        with read(ledger) as conn:
            statement = "SELECT DISTINCT rolcanlogin FROM pg_roles WHERE starts_with(rolname, :prefix)"
            assert conn.scalars(text(statement), {"prefix": settings.role_prefix}).all() == [False]
    finally:
        with connect_postgresql(database_urls[0], autocommit=True) as owner:
            for process in PROCESSES:
                owner.execute(f"DROP OWNED BY {settings.role(process)}")
                owner.execute(f"DROP ROLE {settings.role(process)}")


def test_new_tables_are_opened_by_the_migration_that_follows(
    as_process: As, ledger: Engine, views: Engine, settings: RoleSettings
) -> None:
    """And what somebody has granted beyond that is taken back."""
    worker = settings.role("worker")
    with write(views) as conn:
        conn.execute(text("CREATE TABLE fresh_v9 (id int)"))
    with write(as_process("projections")[1]) as conn:
        conn.execute(text("CREATE TABLE made_at_work_v1_b2 (LIKE runs_v1)"))
        assert conn.execute(text("SELECT * FROM made_at_work_v1_b2")).all() == []
    with read(as_process("api")[1]) as conn:
        assert conn.execute(text("SELECT * FROM made_at_work_v1_b2")).all() == []
    with write(ledger) as conn:
        conn.execute(text(f"GRANT DELETE ON events TO {worker}"))
    assert refresh_grants(views, settings) == [settings.role(each) for each in ("api", "projections", "sink")]
    assert len(refresh_grants(ledger, settings)) == 4
    try:
        with read(as_process("api")[1]) as conn:
            assert conn.execute(text("SELECT * FROM fresh_v9")).all() == []
        with read(ledger) as conn:
            may = text("SELECT has_table_privilege(CAST(:role AS name), 'events', 'DELETE')")
            assert conn.scalar(may, {"role": worker}) is False
    finally:
        with write(as_process("projections")[1]) as conn:
            conn.execute(text("DROP TABLE fresh_v9, made_at_work_v1_b2"))


@pytest.fixture
def plain_owner(postgresql_databases: Databases) -> Iterator[tuple[str, RoleSettings]]:
    """A database whose owner may make roles and is no superuser. All of it is gone afterwards."""
    prefix = f"runledger_test_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    settings = RoleSettings(role_prefix=prefix, worker_password="of-workers")
    with connect_postgresql(autocommit=True) as server:
        server.execute(f"CREATE ROLE {prefix}_owner LOGIN CREATEROLE PASSWORD 'of-the-owner'")
        server.execute(f"CREATE DATABASE {prefix} OWNER {prefix}_owner")
        server.execute(f"REVOKE ALL ON DATABASE {prefix} FROM PUBLIC")
        where = make_url(POSTGRESQL_URL).set(
            username=f"{prefix}_owner", password="of-the-owner", database=prefix
        )
        yield where.render_as_string(hide_password=False), settings
        server.execute(f"DROP DATABASE {prefix} WITH (FORCE)")
        for role in (*map(settings.role, PROCESSES), f"{prefix}_owner"):
            server.execute(f"DROP ROLE IF EXISTS {role}")


def test_an_owner_who_is_no_superuser_migrates_and_makes_the_roles(
    plain_owner: tuple[str, RoleSettings],
) -> None:
    url, settings = plain_owner
    ledger, views = open_ledger(url), open_views(url)
    for _ in range(2):
        for engine, upgrade in ((ledger, upgrade_ledger), (views, upgrade_views)):
            upgrade(engine)
            make_roles(engine, settings)
    with write(views) as conn:  # what a later migration does to tables that are the projections' now
        conn.execute(text("ALTER TABLE runs_v1 ADD COLUMN more text"))
    as_worker = open_ledger(as_role(url, settings, "worker"))
    with closing(Log(as_worker)) as log:
        assert log.append(to("run-1", 0)) == 1
    for engine in (ledger, views, as_worker):
        engine.dispose()


def test_an_owner_who_may_make_no_roles_is_told_so(plain_owner: tuple[str, RoleSettings]) -> None:
    url, settings = plain_owner
    with connect_postgresql(autocommit=True) as server:
        server.execute(f"ALTER ROLE {settings.role_prefix}_owner NOCREATEROLE")
    ledger = open_ledger(url)
    upgrade_ledger(ledger)
    with pytest.raises(StoreUnavailable, match="permission denied to create role"):
        make_roles(ledger, settings)
    ledger.dispose()


def test_without_roles_nothing_is_granted(ledger: Engine) -> None:
    assert refresh_grants(ledger, RoleSettings(role_prefix="runledger_test_nobody")) == []


@pytest.mark.parametrize("prefix", ["", "Runledger", "run ledger", 'a"; DROP ROLE b', "a" * 41])
def test_a_prefix_that_would_need_quoting_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="role_prefix"):
        RoleSettings(role_prefix=prefix)


def test_a_database_without_roles_says_so(sqlite_databases: Databases) -> None:
    engine = open_ledger(sqlite_databases.migrated()[0])
    with pytest.raises(StoreUnavailable, match="only PostgreSQL"):
        make_roles(engine, RoleSettings())
    assert refresh_grants(engine, RoleSettings()) == []
    engine.dispose()


def psycopg_url(engine: Engine) -> str:
    return engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
