"""From the read models' Structs to the API's: the same fields, and perhaps more of them."""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T")


def shaped(source: object, kind: type[T]) -> T:
    return msgspec.convert(source, kind, from_attributes=True)
