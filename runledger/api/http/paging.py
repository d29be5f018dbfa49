"""Pages by key: `next` is an opaque cursor that names the last row of a page, never a count of rows."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from litestar.params import QueryParameter

from runledger.api.errors import BadCursor

Limit: TypeAlias = Annotated[
    int, QueryParameter(ge=1, le=500, description="Most rows of the page.", required=False)
]
Cursor: TypeAlias = Annotated[
    str | None, QueryParameter(description="`next` of the page before.", required=False)
]
DEFAULT_LIMIT = 50

T = TypeVar("T")


def seal(key: Any) -> str:
    """The cursor that stands for `key`."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(key)).decode().rstrip("=")


def unseal(cursor: str | None, kind: type[T]) -> T | None:
    """The key that `cursor` stands for. Raises `BadCursor`."""
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return msgspec.msgpack.decode(raw, type=kind)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise BadCursor from None
