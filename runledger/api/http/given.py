"""What handlers are given besides the request: the names under which `api.app` provides it."""

from __future__ import annotations

from typing import Any, TypeAlias

from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency

from runledger.api.backend import Backend, Views
from runledger.api.errors import Fault, Invalid
from runledger.tracker.envelope import Metadata

LONGEST_REQUEST_ID = 200
"""It is kept with every event for ever."""

GivenBackend: TypeAlias = NamedDependency[Backend]
GivenViews: TypeAlias = NamedDependency[Views]
"""The read models, at least as far as `?after=` asks."""
GivenMetadata: TypeAlias = NamedDependency[Metadata]
"""Who writes."""


def backend_of(request: Request[Any, Any, State]) -> Backend:
    backend: Backend = request.app.state.backend
    return backend


def metadata_of(request: Request[str, Any, State]) -> Metadata:
    """Who writes: the token's holder. A caller's X-Request-Id ties together what it caused."""
    correlation_id = request.headers.get("x-request-id")
    if correlation_id is not None and len(correlation_id) > LONGEST_REQUEST_ID:
        raise Invalid([Fault("header: X-Request-Id", f"longer than {LONGEST_REQUEST_ID} characters")])
    return Metadata(actor=request.user, correlation_id=correlation_id)
