"""ETag and If-Match: the version of a stream guards what commands change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, TypeAlias

from litestar.params import HeaderParameter

from runledger.api.errors import Fault, Invalid, StaleVersion
from runledger.tracker.errors import NotFound, WrongExpectedVersion
from runledger.tracker.ids import id_of, kind_of

IfMatch: TypeAlias = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description="The ETag that was read: the change is refused with 412 if it is not the present one.",
        required=False,
        schema_extra={"pattern": r'^(\*|"[0-9]{1,18}")$'},
    ),
]

_ETAG = re.compile(r'"(\d{1,18})"')


def etag(version: int) -> dict[str, str]:
    return {"ETag": f'"{version}"', "Cache-Control": "no-cache"}


def expected_version(if_match: str | None) -> int | None:
    """The version that If-Match names; None where anything will do. Raises `Invalid`."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise Invalid([Fault("header: If-Match", 'must be an ETag like "3", or *')])
    return int(found[1])


@contextmanager
def stale_is_refused(expected: int | None) -> Iterator[None]:
    """A version conflict on a version that the caller named is the caller's (412), not a race (409)."""
    try:
        yield
    except WrongExpectedVersion as conflict:
        if expected is None:
            raise
        if conflict.actual == 0:
            raise NotFound(kind_of(conflict.stream), id_of(conflict.stream)) from None
        raise StaleVersion(expected, conflict.actual) from None
