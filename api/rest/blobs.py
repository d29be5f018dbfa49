"""Bytes by their digest: checkpoints, datasets, predictions, artifacts. They never change, so they cache."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, Router, get, head
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter
from litestar.response import Stream

from api.http.encoding import JsonResponse
from api.http.given import GivenBackend
from api.http.ranges import RangeHeader, span_of

MEDIA_TYPE = "application/octet-stream"
PARTIAL = ResponseSpec(
    bytes, media_type=MEDIA_TYPE, description="The bytes of the range.", generate_examples=False
)
UNCHANGED = ResponseSpec(None, description="The reader has it already.")

IfNoneMatch = Annotated[
    str | None, HeaderParameter(name="If-None-Match", required=False, description="The ETag the reader has.")
]


@get(
    "/{digest:str}",
    sync_to_thread=True,
    summary="Download a blob",
    media_type=MEDIA_TYPE,
    responses={206: PARTIAL, 304: UNCHANGED},
)
def download(
    backend: GivenBackend,
    digest: FromPath[str],
    range_: RangeHeader = None,
    if_none_match: IfNoneMatch = None,
) -> Stream:
    """Whole or by range; the ETag is the digest."""
    size = backend.blobs.size(digest)
    if if_none_match is not None and f'"{digest}"' in if_none_match:
        return Stream(iter(()), status_code=304, headers=_headers(digest))
    span = span_of(range_, size)
    return Stream(
        backend.blobs.open(digest, span.start, span.end),
        status_code=span.status,
        media_type=MEDIA_TYPE,
        headers=_headers(digest) | span.headers(),
    )


@head("/{digest:str}", sync_to_thread=True, summary="Size of a blob", media_type=MEDIA_TYPE)
def measure(backend: GivenBackend, digest: FromPath[str]) -> Response[None]:
    span = span_of(None, backend.blobs.size(digest))
    return JsonResponse(None, media_type=MEDIA_TYPE, headers=_headers(digest) | span.headers())


def _headers(digest: str) -> dict[str, str]:
    """A browser is to save it, never to show it: the bytes may be anybody's HTML."""
    return {
        "ETag": f'"{digest}"',
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Disposition": f'attachment; filename="{digest}"',
        "X-Content-Type-Options": "nosniff",
    }


router = Router("/blobs", tags=["blobs"], route_handlers=[download, measure])
