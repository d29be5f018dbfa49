"""Query parameters that several routes take, and the bounds of numbers in them.

Litestar checks a bound of a parameter that may be absent, and forgets it in its document: hence `bounds`.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from litestar.di import NamedDependency
from litestar.params import QueryParameter

LAST_POSITION = 2**62
LAST_STEP = 2**62
LARGEST_SIZE = 2**40
LAST_ATTEMPT = 2**31 - 1


def bounds(least: int, greatest: int) -> dict[str, Any]:
    """For a `QueryParameter`: what is checked, and what the document says."""
    return {"ge": least, "le": greatest, "schema_extra": {"minimum": least, "maximum": greatest}}


AsOf: TypeAlias = NamedDependency[int | None]
"""The position that `?as_of=` means (`api.reading.as_of`); None for now."""
AttemptNumber: TypeAlias = Annotated[
    int | None,
    QueryParameter(required=False, description="The latest by default.", **bounds(1, LAST_ATTEMPT)),
]
AnyStep: TypeAlias = Annotated[int | None, QueryParameter(required=False, **bounds(-LAST_STEP, LAST_STEP))]
