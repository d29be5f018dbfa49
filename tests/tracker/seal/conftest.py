"""A history on each database."""

from __future__ import annotations

from pathlib import Path

import pytest

from runledger.tracker.store.log import Log
from tests.tracker.seal.histories import History


@pytest.fixture
def history(log: Log, tmp_path: Path) -> History:
    return History(log, tmp_path / "seals")
