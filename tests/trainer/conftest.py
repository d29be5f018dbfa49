"""A world for each test, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trainer.world import World


@pytest.fixture
def world(tmp_path: Path, database_urls: tuple[str, str]) -> Iterator[World]:
    world = World(tmp_path, database_urls[0])
    yield world
    world.close()
