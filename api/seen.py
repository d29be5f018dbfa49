"""What a read model does not show: unknown, or only not yet seen. The log tells which."""

from __future__ import annotations

from typing import NoReturn

from api.backend import Backend
from api.errors import PositionNotReached
from tracker.errors import NotFound


def not_seen(backend: Backend, kind: str, id: str, as_of: int | None = None) -> NoReturn:
    """Raises `NotFound`, or `PositionNotReached` for what the log has and the read model has not."""
    last = backend.log.last(f"{kind}-{id}")
    if last is None or as_of is not None:
        raise NotFound(kind, id)
    raise PositionNotReached(last.position, backend.reached())
