"""Rows of tables and predictions as JSON lines, of whatever numbers the libraries of a recipe give."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from runledger.trainer.errors import MisusedContext


def encode_row(row: Mapping[str, Any] | msgspec.Struct) -> bytes:
    """One JSON object and a line's end; numbers of numpy are numbers, its arrays lists.

    Raises `MisusedContext` with what is wrong, to be put behind the row's place.
    """
    try:
        built = _plain(msgspec.to_builtins(row, enc_hook=_from_numpy))
        encoded = msgspec.json.encode(built)
    except (TypeError, NotImplementedError, OverflowError, UnicodeEncodeError, RecursionError) as error:
        raise MisusedContext(f"cannot be written: {error}") from error
    if not isinstance(built, dict):
        raise MisusedContext(f"is a {type(row).__name__}, not named columns")
    return encoded + b"\n"


def _from_numpy(value: Any) -> Any:
    """numpy's scalars and arrays, and jax's, without importing either."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} has no place in JSON")


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity: they are spelled as everywhere else in Runledger."""
    if isinstance(value, dict):
        return {key: _plain(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(below) for below in value]
    return spelled(value) if isinstance(value, float) else value


def spelled(value: float) -> float | str:
    """The number, or the word for one that JSON does not have."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
