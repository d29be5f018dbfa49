"""Byte ranges (RFC 9110, one range a request) over anything that can be read from an offset."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

import msgspec
from litestar.params import HeaderParameter

from runledger.api.errors import RangeNotSatisfiable

RangeHeader: TypeAlias = Annotated[
    str | None,
    HeaderParameter(
        name="Range",
        description="`bytes=0-99`, `bytes=100-` or `bytes=-100`; anything else is answered whole.",
        required=False,
    ),
]

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*")


class Span(msgspec.Struct, frozen=True):
    """Bytes from `start` up to, not including, `end`, of `size` in all."""

    start: int
    end: int
    size: int
    is_partial: bool

    @property
    def status(self) -> int:
        return 206 if self.is_partial else 200

    def headers(self) -> dict[str, str]:
        headers = {"Accept-Ranges": "bytes", "Content-Length": str(self.end - self.start)}
        if self.is_partial:
            headers["Content-Range"] = f"bytes {self.start}-{self.end - 1}/{self.size}"
        return headers


def span_of(header: str | None, size: int) -> Span:
    """What `header` asks for. A header that cannot be read is ignored, as the RFC wants.

    Raises `RangeNotSatisfiable`.
    """
    asked = None if header is None else _RANGE.fullmatch(header.strip())
    if asked is None or asked.group(1, 2) == ("", ""):
        return Span(0, size, size, False)
    first, last = asked.group(1, 2)
    if first == "":
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < int(first):
            return Span(0, size, size, False)
    if start >= end:
        raise RangeNotSatisfiable(size)
    return Span(start, end, size, True)
