"""How answers are written: JSON that spells NaN and the infinities "NaN", "Infinity" and "-Infinity".

Bodies are read strictly, straight into the Struct that the handler names.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import msgspec
from litestar import Request, Response

from runledger.api.errors import BadRequest

_encoder = msgspec.json.Encoder()


def spell(value: Any) -> Any:
    """`value` as JSON can hold it."""
    return _spelled(msgspec.to_builtins(value))


def encode(value: Any) -> bytes:
    return _encoder.encode(spell(value))


def _spelled(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else spell_float(value)
    if isinstance(value, dict):
        return {key: _spelled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_spelled(item) for item in value]
    return value


def spell_float(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


class JsonResponse(Response[Any]):
    """Litestar's response, encoded by `encode` as it is made: in the route's thread, off the event loop."""

    def __init__(self, content: Any, **options: Any) -> None:
        is_encoded = content is None or isinstance(content, bytes)
        super().__init__(content if is_encoded else encode(content), **options)

    def render(self, content: Any, media_type: str, enc_hook: Any = None) -> bytes:
        return content or b""


class StrictRequest(Request[Any, Any, Any]):
    """Bodies are decoded into the handler's own type, where Litestar would turn "5" into 5."""

    async def json(self) -> Any:
        field = self.scope["route_handler"].parsed_data_field
        annotation = Any if field is None else field.annotation
        return decode(await self.body(), annotation)


def decode(body: bytes, annotation: Any) -> Any:
    """Raises msgspec's errors, and `BadRequest` for what is nested without an end."""
    try:
        return _decoder(annotation).decode(body)
    except RecursionError:
        raise BadRequest("the JSON is nested too deeply") from None


@cache
def _decoder(annotation: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(annotation)
