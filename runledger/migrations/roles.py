"""The roles of the processes on PostgreSQL, and what each of them may do: no more than it does.

`PREFIX_api`, `_worker`, `_projections` and `_sink`. None of them owns anything of the ledger, so none can
change or drop a table there, or take a guard off it; and none may update, delete or truncate what is in the
log. Who migrates owns it. The read models belong to the projections, which make them and throw them away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from psycopg import sql
from sqlalchemy import Connection, Engine, inspect, text

from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.store.engine import VIEWS, is_postgresql, side_of, target_of, write

PROCESSES = ("api", "worker", "projections", "sink")
LOCK_KEY = 7_304_203
"""For the roles of the whole server: two who change the same row of its catalogue at once, fail."""

Privileges = Mapping[str, str]
"""By table."""

_PREFIX = re.compile(r"[a-z_][a-z0-9_]{0,39}")

_READ = {"events": "SELECT", "head": "SELECT", "log_info": "SELECT", "alembic_version": "SELECT"}
_LEASE = {"leases": "SELECT, INSERT, UPDATE"}
_APPEND = _READ | _LEASE | {"events": "SELECT, INSERT", "head": "SELECT, UPDATE (position, recorded_at)"}
_SINK_TABLES = ("mlflow_sink", "mlflow_runs")
_NOT_PROJECTED = (*_SINK_TABLES, "alembic_version")
_ALL = "SELECT, INSERT, UPDATE, DELETE"

LEDGER_PRIVILEGES: Mapping[str, Privileges] = {
    "api": _APPEND
    | {
        "dispatches": "SELECT",
        "cursors": "SELECT",
        "workers": "SELECT",
        "idempotency_keys": "SELECT, INSERT",
        "api_tokens": "SELECT",
        "seals": "SELECT",
        "sealing": "SELECT",
    },
    "worker": _APPEND
    | {
        "dispatches": "SELECT, INSERT, UPDATE",
        "cursors": "SELECT, INSERT, UPDATE",
        "workers": _ALL,
    },
    "projections": _READ | _LEASE | {"seals": "SELECT, INSERT", "sealing": "SELECT, INSERT, DELETE"},
    "sink": _READ | _LEASE,
}


class RoleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from RUNLEDGER_ROLE_PREFIX and the like by `runledger migrate --roles`."""

    role_prefix: str = "runledger"
    """What the names of the roles begin with: `PREFIX_api`, `PREFIX_worker`, `PREFIX_projections` and
    `PREFIX_sink`."""
    api_password: str | None = None
    """With which the API logs in. A role without a password is made as a group, for roles of your own."""
    worker_password: str | None = None
    """With which workers log in."""
    projections_password: str | None = None
    """With which the projections log in."""
    sink_password: str | None = None
    """With which the MLflow sink logs in."""

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.role_prefix):
            raise ValueError(
                f"role_prefix: small letters, digits and _, at most 40, not {self.role_prefix!r}"
            )

    def role(self, process: str) -> str:
        return f"{self.role_prefix}_{process}"

    def password(self, process: str) -> str | None:
        password: str | None = getattr(self, f"{process}_password")
        return password


def make_roles(engine: Engine, settings: RoleSettings) -> list[str]:
    """Make the roles that are not there, set their passwords, and grant exactly what each needs on this side.

    The names of those who may use it. Raises `StoreUnavailable`, also where that cannot be done.
    """
    if not is_postgresql(engine):
        raise StoreUnavailable(target_of(engine), "has no roles: only PostgreSQL does")
    with write(engine) as conn:
        _wait_turn(conn)
        for process in PROCESSES:
            _make(conn, settings.role(process), settings.password(process))
        _grant(conn, side_of(engine), {settings.role(process): process for process in PROCESSES})
        return _known(conn, side_of(engine), [settings.role(process) for process in PROCESSES])


def refresh_grants(engine: Engine, settings: RoleSettings) -> list[str]:
    """After a migration: what roles that have been granted something here need of the new tables, too.

    Their names; nothing where there are none.
    """
    if not is_postgresql(engine):
        return []
    with write(engine) as conn:
        _wait_turn(conn)
        roles = {settings.role(process): process for process in PROCESSES}
        known = {role: roles[role] for role in _known(conn, side_of(engine), list(roles))}
        _grant(conn, side_of(engine), known)
    return list(known)


def _wait_turn(conn: Connection) -> None:
    conn.execute(text("SET LOCAL lock_timeout = 0"))
    conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})


def _known(conn: Connection, side: str, roles: list[str]) -> list[str]:
    """Those that have been granted the use of this side's schema, each by its own name."""
    statement = """
        SELECT rolname FROM pg_roles, pg_namespace, LATERAL aclexplode(nspacl) AS acl
        WHERE nspname = :side AND acl.grantee = pg_roles.oid AND rolname = ANY(:roles)
            AND acl.privilege_type = 'USAGE'
        ORDER BY rolname
    """
    return list(conn.scalars(text(statement), {"side": side, "roles": roles}))


def _make(conn: Connection, role: str, password: str | None) -> None:
    name = sql.Identifier(role)
    if conn.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}) is None:
        _run(conn, sql.SQL("CREATE ROLE {} NOLOGIN").format(name))
    if password is not None:
        secret = _scram(conn, role, password)
        _run(conn, sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(secret)))


def _scram(conn: Connection, role: str, password: str) -> str:
    """What the server stores, made here: the password itself is in no statement, and so in no log."""
    driver: Any = conn.connection.driver_connection
    secret: bytes = driver.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    return secret.decode()


def _grant(conn: Connection, side: str, roles: Mapping[str, str]) -> None:
    """All is taken back and granted anew in one transaction: whoever works meanwhile notices nothing."""
    tables = inspect(conn).get_table_names(schema=side)
    for role, process in roles.items():
        privileges = _on_views(process, tables) if side == VIEWS else LEDGER_PRIVILEGES[process]
        for statement in _statements(side, privileges, tables):
            _run(conn, sql.SQL(statement).format(role=sql.Identifier(role)))
        if privileges:
            _open_database(conn, role, "CONNECT")
    if side == VIEWS:
        _hand_over_views(conn, roles)


def _statements(side: str, privileges: Privileges, tables: Sequence[str]) -> Iterator[str]:
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA {side} FROM {{role}}"
    yield f"REVOKE ALL ON SCHEMA {side} FROM {{role}}"
    if not privileges:
        return
    yield f"GRANT USAGE ON SCHEMA {side} TO {{role}}"
    for table in tables:
        if table in privileges:
            yield f"GRANT {privileges[table]} ON {side}.{table} TO {{role}}"


def _open_database(conn: Connection, role: str, privilege: str) -> None:
    """Everybody may, unless that was taken back; to grant it takes the database's owner."""
    database = conn.scalar(text("SELECT current_database()"))
    may = text("SELECT has_database_privilege(CAST(:role AS name), current_database(), :privilege)")
    if not conn.scalar(may, {"role": role, "privilege": privilege}):
        names = map(sql.Identifier, (database, role))
        _run(conn, sql.SQL(f"GRANT {privilege} ON DATABASE {{}} TO {{}}").format(*names))


def _hand_over_views(conn: Connection, roles: Mapping[str, str]) -> None:
    """Read models are made anew at work: by the projections, who own them, and readable to who answers."""
    mine = next((role for role, process in roles.items() if process == "projections"), None)
    if mine is None:
        return
    owner = sql.Identifier(mine)
    if not conn.scalar(text("SELECT pg_has_role(CAST(:role AS name), 'USAGE')"), {"role": mine}):
        _run(conn, sql.SQL("GRANT {} TO CURRENT_USER").format(owner))  # who migrates goes on changing them
    _open_database(conn, mine, "TEMPORARY")  # rows are merged by way of a table of the connection's own
    _run(conn, sql.SQL("GRANT CREATE ON SCHEMA views TO {}").format(owner))
    others = "SELECT tablename FROM pg_tables WHERE schemaname = 'views' AND tableowner <> :role"
    for table in conn.scalars(text(others), {"role": mine}).all():
        if table not in _NOT_PROJECTED:
            _run(conn, sql.SQL("ALTER TABLE views.{} OWNER TO {}").format(sql.Identifier(table), owner))
    reader = next((role for role, process in roles.items() if process == "api"), None)
    if reader is not None:
        for maker in (owner, sql.SQL("CURRENT_USER")):
            words = "ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA views GRANT SELECT ON TABLES TO {}"
            _run(conn, sql.SQL(words).format(maker, sql.Identifier(reader)))
    words = "ALTER DEFAULT PRIVILEGES IN SCHEMA views GRANT {} ON TABLES TO {}"
    _run(conn, sql.SQL(words).format(sql.SQL(_ALL), owner))


def _on_views(process: str, tables: Sequence[str]) -> Privileges:
    """Who answers reads them all; the projections write what is not the sink's."""
    match process:
        case "api":
            return dict.fromkeys(tables, "SELECT")
        case "projections":
            own = [table for table in tables if table not in _NOT_PROJECTED]
            return dict.fromkeys(tables, "SELECT") | dict.fromkeys(own, _ALL)
        case "sink":
            return dict.fromkeys((*_SINK_TABLES, "cursors"), _ALL) | {"alembic_version": "SELECT"}
        case _:
            return {}


def _run(conn: Connection, statement: sql.Composable) -> None:
    driver: Any = conn.connection.driver_connection
    conn.exec_driver_sql(statement.as_string(driver).replace("%", "%%"))
