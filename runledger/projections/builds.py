"""Builds: the tables of a projection once more, which catch up beside those that answer.

Which build answers says the projection's activation row. Whoever reads asks for it once and then stays with
those tables, so no answer is put together of two builds; they are dropped some time after another has
taken over (`rebuilding`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

from sqlalchemy import Connection, Engine, select

from runledger.projections.catalogue import PROJECTIONS
from runledger.projections.naming import name_of, use_names
from runledger.projections.projection import Projection
from runledger.projections.tables import activations, cursor_of
from runledger.tracker.store.engine import read

Builds: TypeAlias = Mapping[str, int]
"""By the projection's name; the first build, which is 0, where one is absent."""


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for reading from the builds that answer now, as long as it is open."""
    with read(engine) as conn:
        use(conn, active(conn))
        yield conn


def active(conn: Connection) -> dict[str, int]:
    """The build of each projection that answers, of the version that this code knows."""
    rows = conn.execute(select(activations))
    known = {each.name: each.version for each in PROJECTIONS}
    return {row.projection: row.build for row in rows if known.get(row.projection) == row.version}


def use(conn: Connection, builds: Builds) -> None:
    """From now on this connection means the tables of these builds."""
    names: list[tuple[str, str]] = []
    for projection in PROJECTIONS:
        if build := builds.get(projection.name, 0):
            names += [(table.name, name_of(table.name, build)) for table in projection.tables]
            names.append((projection.cursor, cursor_in(builds, projection)))
    use_names(conn, tuple(names))


def cursor_in(builds: Builds, projection: Projection) -> str:
    """Under which the projection's build keeps its place in the log."""
    return cursor_of(projection.name, projection.version, builds.get(projection.name, 0))
