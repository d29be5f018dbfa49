"""Query parameters that several routes take."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from litestar.params import QueryParameter

AsOf: TypeAlias = Annotated[
    int | None,
    QueryParameter(
        ge=1, le=2**62, required=False, description="Answer as things stood at this position of the log."
    ),
]
AttemptNumber: TypeAlias = Annotated[
    int | None, QueryParameter(ge=1, le=2**31, required=False, description="The latest by default.")
]
