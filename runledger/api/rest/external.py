"""Runs that are executed elsewhere: asked for here, told under `attempts`."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, Router, post
from litestar.params import Body

from runledger.api.answers import Launched
from runledger.api.attempt_requests import ExternalRunRequest
from runledger.api.http.encoding import JsonResponse
from runledger.api.http.etags import etag
from runledger.api.http.given import GivenBackend, GivenMetadata
from runledger.api.writing.elsewhere import request_run


@post("/", sync_to_thread=True, summary="Ask for a run that is executed elsewhere")
def request_external_run(
    backend: GivenBackend,
    metadata: GivenMetadata,
    data: Annotated[ExternalRunRequest, Body(description="What is executed, and its params.")],
) -> Response[Launched]:
    """It waits until whoever executes it starts its first attempt. With `run_id`, asking twice asks once."""
    launched = request_run(backend, data, metadata)
    headers = etag(launched.version) | {"Location": launched.links["self"]}
    return JsonResponse(launched, status_code=201, headers=headers)


router = Router("/runs/external", tags=["executed elsewhere"], route_handlers=[request_external_run])
