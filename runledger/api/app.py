"""The Litestar application: routes, what they are given, and how their errors are told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

from litestar import Litestar, Request, Router
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.params import QueryParameter
from litestar.types import ASGIApp

from runledger.api import tokens
from runledger.api.backend import Backend, Views
from runledger.api.errors import Fault, Invalid, UnsupportedContentType
from runledger.api.http import problems
from runledger.api.http.encoding import JsonResponse, StrictRequest
from runledger.api.http.front_door import FrontDoor
from runledger.api.http.given import GivenBackend, metadata_of
from runledger.api.http.openapi import DocumentPlugin, operation_id
from runledger.api.http.parameters import LAST_POSITION, bounds
from runledger.api.reading.as_of import POSITION_HEADER, PROJECTIONS_HEADER, provide_as_of, tell_as_of
from runledger.api.rest import UNVERSIONED, VERSIONED
from runledger.api.rest.fast_lane import FastLane
from runledger.api.settings import ApiSettings, names
from runledger.tracker.envelope import Metadata

API = "/api/v1"


def create_app(backend: Backend) -> ASGIApp:
    """The whole application over an open backend, which it closes when it ends."""
    app = create_litestar(backend)

    def holder_of(token: str) -> str | None:
        return tokens.holder_of(backend.ledger, token)

    return FrontDoor(FastLane(app, backend), backend.settings, holder_of)


def create_litestar(backend: Backend) -> Litestar:
    return Litestar(
        route_handlers=[Router(API, route_handlers=VERSIONED), *UNVERSIONED],
        state=State({"backend": backend}),
        lifespan=[_closing],
        dependencies={
            "backend": Provide(provide_backend, sync_to_thread=False),
            "metadata": Provide(provide_metadata, sync_to_thread=False),
            "views": Provide(provide_views),
            "as_of": Provide(provide_as_of),
        },
        before_request=check_request,
        before_send=[tell_as_of],
        exception_handlers={Exception: problems.answer},
        request_class=StrictRequest,
        response_class=JsonResponse,
        request_max_body_size=backend.settings.max_body_bytes,
        openapi_config=OpenAPIConfig(
            title="Runledger",
            version="1",
            description="The ledger of record for model training.",
            path="/schema",
            render_plugins=[DocumentPlugin()],
            use_handler_docstrings=True,
            operation_id_creator=operation_id,
        ),
        cors_config=cors_of(backend.settings),
        logging_config=None,
    )


def cors_of(settings: ApiSettings) -> CORSConfig | None:
    """What a browser has to be told so that the pages of the allowed origins can read our answers."""
    origins = sorted(names(settings.allowed_origins))
    exposed = ["ETag", "Location", "Retry-After", "Content-Range", "X-Attempt"]
    exposed += [POSITION_HEADER, PROJECTIONS_HEADER]
    return CORSConfig(allow_origins=origins, expose_headers=exposed) if origins else None


def provide_backend(state: State) -> Backend:
    backend: Backend = state.backend
    return backend


def provide_metadata(request: Request[str, Any, State], backend: GivenBackend) -> Metadata:
    """Asks for the backend to be given after it: what it can give at a time, Litestar gives in tasks."""
    return metadata_of(request)


async def provide_views(
    backend: GivenBackend,
    request: Request[str, Any, State],
    after: Annotated[
        int | None,
        QueryParameter(
            required=False,
            description="Answer from a read model that has seen this position; 503 if it does not in time.",
            **bounds(0, LAST_POSITION),
        ),
    ] = None,
) -> Views:
    return await backend.caught_up(after, request.route_handler.opt.get("projections", ()))


async def check_request(request: Request[str, Any, State]) -> None:
    """What holds for every route. No guards: Litestar would copy the whole route for each of them."""
    _check_content_type(request)
    _check_nulls(request)


def _check_content_type(request: Request[str, Any, State]) -> None:
    """A body must be of the type that the route reads; no form of a web page ever is."""
    expected: Sequence[str] = request.route_handler.opt.get("content_types", ("application/json",))
    headers = request.headers
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    actual = headers.get("content-type", "").partition(";")[0].strip().lower()
    if (has_body or actual) and request.method not in ("GET", "HEAD") and actual not in expected:
        raise UnsupportedContentType(" or ".join(expected), actual)


def _check_nulls(request: Request[str, Any, State]) -> None:
    """In an address nothing is null, only absent: `as_of=null` would be read as if it were not there."""
    if not request.scope["query_string"]:
        return
    for name, value in request.query_params.dict().items():
        if "null" in map(str.lower, value) and not _is_text(request.route_handler, name):
            raise Invalid([Fault(f"query: {name}", "null is no value: leave it out")])


def _is_text(handler: BaseRouteHandler, name: str) -> bool:
    field = handler.parsed_fn_signature.parameters.get(name)
    return field is not None and field.has_inner_subclass_of(str) | field.is_subclass_of(str)


@asynccontextmanager
async def _closing(app: Litestar) -> AsyncIterator[None]:
    yield
    app.state.backend.close()
