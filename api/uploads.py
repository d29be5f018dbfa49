"""Datasets that somebody uploads: checked line by line as the bytes arrive, stored only when all of it fits.

The bytes come from the event loop, the checking happens in a thread; what is in memory is one chunk, one
line and the ids of the items. Nothing is stored, and nothing registered, before the last line has passed.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from litestar import Request
from litestar.datastructures import State

from api.backend import Backend
from api.errors import BodyTooLarge
from tracker import datasets
from tracker.datasets import MAX_LINE_BYTES, Contents
from tracker.errors import BadInput

Chunks: TypeAlias = Iterator[bytes]


async def limited(request: Request[str, Any, State], limit_bytes: int) -> AsyncIterator[bytes]:
    """The body as it comes. Raises `BodyTooLarge`."""
    received = 0
    async for chunk in request.stream():
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
    with tempfile.TemporaryDirectory(prefix="runledger-") as folder:
        path = Path(folder) / "items.jsonl"
        try:
            with path.open("wb") as file:
                contents = datasets.write(datasets.read(format, lines_of(chunks)), file)
        except BadInput:
            _drain(chunks)
            raise
        backend.blobs.put_file(path)
    return contents


def _drain(chunks: Chunks) -> None:
    """Read the body to its end: a client that is still sending would miss the answer."""
    for _ in chunks:
        pass
