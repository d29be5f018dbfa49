"""What somebody uploads: checked as the bytes arrive, stored only when all of it fits.

The bytes come from the event loop, the checking happens in a thread; what is in memory is one chunk, and
of a dataset one line and the ids of the items. Nothing is stored before the last byte has passed.
Uploads have threads of their own: one that waits for a slow client takes none from other requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeAlias

from litestar import Request
from litestar.datastructures import State
from litestar.exceptions import InternalServerException

from runledger.api.backend import Backend
from runledger.api.errors import BadRequest, BodyTooLarge, DigestMismatch
from runledger.api.writing import material
from runledger.tracker import datasets
from runledger.tracker.datasets import MAX_LINE_BYTES, Contents
from runledger.tracker.errors import BadInput, BlobCorrupt

Chunks: TypeAlias = Iterator[bytes]
IDLE_SECONDS = 60.0
"""A client that sends nothing for so long has gone."""


async def limited(request: Request[str, Any, State], limit_bytes: int) -> AsyncIterator[bytes]:
    """The body as it comes. Raises `BodyTooLarge`, and `BadRequest` for one that does not end."""
    received = 0
    chunks = aiter(request.stream())
    while True:
        try:
            chunk = await asyncio.wait_for(anext(chunks, None), IDLE_SECONDS)
        except InternalServerException:
            raise BadRequest("the body broke off") from None
        except TimeoutError:
            raise BadRequest(f"no more of the body came in {IDLE_SECONDS:.0f} s") from None
        if chunk is None:
            return
        received += len(chunk)
        if received > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        yield chunk


def chunks_from(loop: asyncio.AbstractEventLoop, stream: AsyncIterator[bytes]) -> Chunks:
    """The chunks of a body that is read on `loop`, for a thread that waits for each of them."""

    async def following() -> bytes | None:
        return await anext(stream, None)

    while (chunk := asyncio.run_coroutine_threadsafe(following(), loop).result()) is not None:
        yield chunk


def lines_of(chunks: Chunks) -> Iterator[bytes]:
    """Whole lines. Raises `BadInput` for one that is too long, before it is in memory."""
    rest, number = b"", 1
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
        number += len(whole)
        if len(rest) > MAX_LINE_BYTES:
            raise BadInput(f"line {number}", f"more than {MAX_LINE_BYTES} bytes")
    if rest:
        yield rest


def store(backend: Backend, format: str, chunks: Chunks) -> Contents:
    """Check the lines and store their canonical bytes. Raises `BadInput` with the first bad line."""
    try:
        return material.keep(backend, datasets.read(format, lines_of(chunks)))
    except BadInput:
        _drain(chunks)
        raise


def store_blob(backend: Backend, digest: str, chunks: Chunks) -> bool:
    """Store the body under its digest. Whether it is new. Raises `DigestMismatch`."""
    try:
        is_new = backend.blobs.put_stream(digest, chunks)
    except BlobCorrupt as corrupt:
        raise DigestMismatch(digest, corrupt.actual) from None
    if not is_new:
        _drain(chunks)
    return is_new


def _drain(chunks: Chunks) -> None:
    """Read the body to its end: a client that is still sending would miss the answer."""
    for _ in chunks:
        pass
