"""Bytes by their digest: checkpoints, datasets, predictions, artifacts. They never change, so they cache.

They are there before any fact names them, and are visible only once they are seen to have their digest.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Request, Response, Router, get, head, put
from litestar.concurrency import sync_to_thread
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.params import FromPath, HeaderParameter
from litestar.response import Stream

from runledger.api.answers import BlobWritten
from runledger.api.errors import Fault, Invalid
from runledger.api.http.encoding import JsonResponse
from runledger.api.http.given import GivenBackend
from runledger.api.http.ranges import RangeHeader, span_of
from runledger.api.writing import uploads

MEDIA_TYPE = "application/octet-stream"
KNOWN = ResponseSpec(BlobWritten, description="The bytes are there already.")
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


@dataclass
class BlobOperation(Operation):
    """The body is a stream that no parameter of the handler names, so it is described here."""

    def __post_init__(self) -> None:
        media = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY))
        self.request_body = RequestBody(content={MEDIA_TYPE: media}, required=True, description="The bytes.")


@put(
    "/{digest:str}",
    status_code=201,
    summary="Upload a blob",
    operation_class=BlobOperation,
    responses={200: KNOWN},
    opt={"content_types": (MEDIA_TYPE,)},
    request_max_body_size=None,
)
async def upload(
    request: Request[str, Any, State], backend: GivenBackend, digest: FromPath[str]
) -> Response[BlobWritten]:
    """Under its SHA-256, in lower-case hexadecimal. Bytes of another digest are refused, and not kept."""
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise Invalid([Fault("path: digest", "must be a SHA-256 in lower-case hexadecimal")])
    loop = asyncio.get_running_loop()
    body = uploads.limited(request, backend.settings.max_upload_bytes)
    chunks = uploads.chunks_from(loop, body)
    is_new = await loop.run_in_executor(backend.uploading, uploads.store_blob, backend, digest, chunks)
    written = BlobWritten(digest=digest, size_bytes=await sync_to_thread(backend.blobs.size, digest))
    return JsonResponse(written, status_code=201 if is_new else 200, headers={"ETag": f'"{digest}"'})


def _headers(digest: str) -> dict[str, str]:
    """A browser is to save it, never to show it: the bytes may be anybody's HTML."""
    return {
        "ETag": f'"{digest}"',
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Disposition": f'attachment; filename="{digest}"',
        "X-Content-Type-Options": "nosniff",
    }


router = Router("/blobs", tags=["blobs"], route_handlers=[download, measure, upload])
