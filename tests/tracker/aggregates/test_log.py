"""What is said of the log as a whole."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from runledger.tracker.aggregates.log import RecordRestore
from runledger.tracker.errors import BadInput
from runledger.tracker.events.log import LogRestored
from tests.tracker.deciders import given

LOST: dict[str, Any] = {
    "reason": "disk failed",
    "kept": 40,
    "lost_size": 47,
    "lost_root": "ab",
    "lost_at": datetime(2026, 1, 2, tzinfo=UTC),
}
RESTORE = RecordRestore(log_id="l", **LOST)
RESTORED = LogRestored(**LOST)


def test_a_restore_is_a_fact_that_is_told_once() -> None:
    given().when(RESTORE).then(RESTORED)
    given(RESTORED).when(RESTORE).then_nothing()


def test_the_next_restore_is_another_fact() -> None:
    again = LOST | {"lost_root": "cd"}
    given(RESTORED).when(RecordRestore(log_id="l", **again)).then(LogRestored(**again))


def test_a_restore_has_a_reason() -> None:
    given().when(RecordRestore(log_id="l", **(LOST | {"reason": " "}))).refused_with(BadInput, "reason")
