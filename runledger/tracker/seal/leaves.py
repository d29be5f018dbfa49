"""The leaves of a log in the order of positions, as far as the rows have what a leaf covers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine

from runledger.tracker.seal.errors import Contradicted
from runledger.tracker.seal.merkle import HASH_BYTES
from runledger.tracker.seal.rawlog import RawLog
from runledger.tracker.seal.seal import leaf_of

MISSING = "it is missing"
TWICE = "it is there twice"


def leaves_between(engine: Engine, after: int, until: int) -> Iterator[bytes]:
    """Behind `after` up to `until`. Raises `Contradicted` where a position is missing or holds no leaf."""
    for page, end in RawLog(engine).leaf_pages(after, until):
        for position, recorded_at, digest in page:
            after += 1
            problem = unusual_leaf(recorded_at, digest)
            if position != after:
                problem = MISSING if position > after else TWICE
            if problem is not None:
                raise Contradicted(after, problem)
            yield leaf_of(position, recorded_at, digest)
        if after < end:
            raise Contradicted(after + 1, MISSING)


def unusual_leaf(recorded_at: Any, digest: Any) -> str | None:
    """Why no leaf can be made of these values; None where one can."""
    if type(recorded_at) is not int:
        return "recorded_at holds what no writer stores"
    if type(digest) is not bytes or len(digest) != HASH_BYTES:
        return "hash holds what no writer stores"
    return None
