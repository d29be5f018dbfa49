"""Fixtures of the command's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.cli.sealed import Installed
from tests.conftest import Databases


@pytest.fixture
def installed(sqlite_databases: Databases, tmp_path: Path) -> Iterator[Installed]:
    installed = Installed(sqlite_databases.migrated()[0], tmp_path)
    yield installed
    installed.close()
