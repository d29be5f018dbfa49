"""What the benchmark of verification measures is a whole, sealed log that is in order."""

from __future__ import annotations

from tests.benchmarks.verify import BATCH, measured


def test_the_log_is_sealed_verified_and_in_order(database_kind: str) -> None:
    ((kind, figures),) = measured((database_kind,), 3 * BATCH)
    found = figures.found
    assert (kind, found.events, found.sealed, found.fault) == (database_kind, 3_000, 3_000, None)
    assert found.seals_in_database == found.seals_outside == 1
    assert figures.row(kind)["events"] == 3_000
