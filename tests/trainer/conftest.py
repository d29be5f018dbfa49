"""A world for each test: on each database, or on the one that the test is about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Databases
from tests.trainer.world import World


@pytest.fixture
def world(tmp_path: Path, database_urls: tuple[str, str]) -> Iterator[World]:
    yield from _world(tmp_path, database_urls[0])


@pytest.fixture
def sqlite_world(tmp_path: Path, sqlite_databases: Databases) -> Iterator[World]:
    yield from _world(tmp_path, sqlite_databases.migrated()[0])


@pytest.fixture
def postgresql_world(tmp_path: Path, postgresql_databases: Databases) -> Iterator[World]:
    yield from _world(tmp_path, postgresql_databases.migrated()[0])


def _world(folder: Path, ledger_url: str) -> Iterator[World]:
    world = World(folder, ledger_url)
    yield world
    world.close()
