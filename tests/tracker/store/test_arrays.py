"""Arrays that we lay out are what PostgreSQL takes for the same values."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine

from runledger.tracker.store import arrays
from runledger.tracker.store.direct import Direct


@pytest.mark.parametrize("database_kind", ["postgresql"])
@pytest.mark.parametrize(
    ("kind", "of", "values"),
    [
        ("text", arrays.of_texts, []),
        ("text", arrays.of_texts, [None]),
        ("text", arrays.of_texts, [None, None]),
        ("text", arrays.of_texts, ["ü", "ü", "ü"]),
        ("text", arrays.of_texts, ["a", None, "", "NULL", 'with "quotes", {braces} and \\', "ü🌊"]),
        ("bytea", arrays.of_bytes, [b"", b"\0\xff", bytes(range(256)) * 300]),
        ("bigint", arrays.of_ints, []),
        ("bigint", arrays.of_ints, [0, -1, 2**63 - 1, -(2**63)]),
        ("int", arrays.of_small_ints, [0, -1, 2**31 - 1, -(2**31)]),
        ("uuid", arrays.of_uuids, [UUID(int=0), UUID(int=2**128 - 1)]),
    ],
)
def test_the_database_reads_what_was_laid_out(ledger: Engine, kind: str, of: Any, values: list[Any]) -> None:
    direct = Direct(ledger)
    ((read, count),) = direct.fetch(
        f"SELECT given, cardinality(given) FROM (SELECT %b::{kind}[] AS given) AS one", (of(values),)
    )
    assert (read, count) == (values, len(values))
    direct.close()


def test_a_number_that_does_not_fit_is_an_error_of_ours() -> None:
    with pytest.raises(Exception, match="format"):
        arrays.of_small_ints([2**31])
