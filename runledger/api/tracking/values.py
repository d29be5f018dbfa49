"""What a program may log, made into what a journal holds. Raises `Misused` or `TypeError` otherwise.

Numbers may come from numpy, jax or torch: whatever has one value. NaN and infinities are kept.
"""

from __future__ import annotations

import contextlib
import math
import operator
import os
from collections.abc import Iterable, Mapping
from typing import Any, SupportsIndex
from urllib.parse import urlsplit

import msgspec

from runledger.api.tracking.errors import Misused
from runledger.tracker.aggregates.texts import (
    MAX_KEY_CHARS,
    MAX_NAME_CHARS,
    MAX_PARAM_CHARS,
    MAX_PARAMS,
    MAX_TAG_CHARS,
    MAX_TAGS,
)
from runledger.tracker.points import CONTROL
from runledger.tracker.spec import Scalar

INT64 = range(-(2**63), 2**63)
MAX_PARAMS_BYTES = 1 << 20
"""All params together go in one request; a tracker takes 2 MiB by default."""


def points(step: Any, time: Any, metrics: Mapping[str, Any]) -> tuple[int, int, dict[str, float]]:
    """What a journal did not take as it was: made to fit, or refused in words for whoever logged it."""
    found = {metric_key(key): number(key, value) for key, value in metrics.items()}
    return int64("step", step), int64("time", time), found


def number(key: str, value: Any) -> float:
    """The one value of a number, of a scalar array or of an array of one element."""
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{key!r} is text, not a number: {value!r}")
    try:
        return float(value.item() if hasattr(value, "item") else value)
    except OverflowError:
        raise Misused(f"{key!r} is too large for a 64-bit float") from None
    except (TypeError, ValueError) as problem:
        raise TypeError(
            f"{key!r} is not one number but {type(value).__name__}: {_first_line(problem)}{_advice(problem)}"
        ) from None


def _first_line(problem: Exception) -> str:
    return str(problem).partition("\n")[0]


def _advice(problem: Exception) -> str:
    """jax says by the name of its error that a value does not exist yet."""
    is_traced = "Tracer" in type(problem).__name__ or "Concretization" in type(problem).__name__
    return " (inside of jit: log it through runledger.jax_callback)" if is_traced else ""


def metric_key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a metric's name is a str, not {type(key).__name__}: {key!r}")
    if not 0 < len(key) <= MAX_NAME_CHARS:
        raise Misused(f"a metric's name has 1 to {MAX_NAME_CHARS} characters, not {len(key)}: {key[:40]!r}")
    if CONTROL.search(key):
        raise Misused(f"a metric's name has no control characters: {key[:40]!r}")
    return _writable(key, "a metric's name")


def int64(what: str, value: SupportsIndex) -> int:
    try:
        found = operator.index(value.item() if hasattr(value, "item") else value)
    except TypeError:
        raise TypeError(f"{what} is a whole number, not {type(value).__name__}: {value!r}") from None
    if found not in INT64:
        raise Misused(f"{what} does not fit into 64 bits: {found}")
    return found


def name(what: str, text: object) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{what} is a str, not {type(text).__name__}: {text!r}")
    if not text.strip() or len(text) > MAX_NAME_CHARS:
        raise Misused(f"{what} has 1 to {MAX_NAME_CHARS} characters: {text[:40]!r}")
    return _nameable(text, what)


def address(url: object) -> None:
    """Whether anybody answers there shows later; that it is an address at all, now."""
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise Misused(f"a tracker's address looks like http://host:8600, not {url!r}")


def tags(given: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for key, value in given.items():
        text = _writable(value if isinstance(value, str) else str(value), f"tag {key!r}")
        if len(text) > MAX_TAG_CHARS:
            raise Misused(f"tag {key!r} has {len(text)} characters, more than {MAX_TAG_CHARS}")
        found[name("a tag's name", key)] = text
    if len(found) > MAX_TAGS:
        raise Misused(f"{len(found)} tags are more than {MAX_TAGS}")
    return found


def params(given: Mapping[str, Any]) -> dict[str, Scalar]:
    """Each scalar under its dotted path, list items under their index, as `RunSpec.params` has them."""
    found: dict[str, Scalar] = {}
    for path, value in _flat(given.items(), ""):
        if path in found:
            raise Misused(f"param {path!r} is given twice")
        found[path] = _scalar(path, value)
    if len(found) > MAX_PARAMS:
        raise Misused(f"{len(found)} params are more than {MAX_PARAMS}")
    if (size := len(msgspec.json.encode(found))) > MAX_PARAMS_BYTES:
        raise Misused(f"{size} bytes of params are more than {MAX_PARAMS_BYTES}: keep them as an artifact")
    return found


def _flat(items: Iterable[tuple[Any, Any]], prefix: str) -> Iterable[tuple[str, Any]]:
    for key, value in items:
        path = f"{prefix}{key}"
        if not str(key) or len(path) > MAX_KEY_CHARS:
            raise Misused(f"a param's name has 1 to {MAX_KEY_CHARS} characters: {path[:40]!r}")
        _nameable(path, "a param's name")
        if isinstance(value, Mapping):
            yield from _flat(value.items(), f"{path}.")
        elif isinstance(value, (list, tuple)):
            yield from _flat(enumerate(value), f"{path}.")
        else:
            yield path, value


def _scalar(path: str, value: Any) -> Scalar:
    with contextlib.suppress(TypeError, ValueError, RuntimeError):  # an array is refused below
        value = value.item() if hasattr(value, "item") else value
    match value:
        case None | bool():
            return value
        case str():
            return _param_text(path, str(value))
        case int():
            return int64(f"param {path!r}", int(value))
        case float():
            return float(value) if math.isfinite(value) else repr(float(value))
        case os.PathLike():
            return _param_text(path, os.fsdecode(value))
    raise TypeError(
        f"param {path!r} is a {type(value).__name__}; a param is a bool, a number, a text or None"
    )


def _param_text(path: str, text: str) -> str:
    if len(text) > MAX_PARAM_CHARS:
        raise Misused(f"param {path!r} has {len(text)} characters, more than {MAX_PARAM_CHARS}")
    return _writable(text, f"param {path!r}")


def _nameable(text: str, what: str) -> str:
    """PostgreSQL finds no name with a NUL character in it."""
    if "\0" in text:
        raise Misused(f"{what} has a NUL character in it: {text[:40]!r}")
    return _writable(text, what)


def _writable(text: str, what: str) -> str:
    """Text with half a surrogate pair in it is no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Misused(f"{what} is not valid Unicode text: {text[:40]!r}") from None
    return text


def artifact_path(path: str) -> str:
    parts = path.split("/")
    if not path or "" in parts or "." in parts or ".." in parts or "\\" in path or len(path) > MAX_KEY_CHARS:
        raise Misused(f"an artifact's name is a plain relative path with forward slashes: {path!r}")
    return _nameable(path, "an artifact's name")


def changed(before: Mapping[str, object], now: Mapping[str, object]) -> str:
    """How params that both have differ, in words; empty where they do not."""
    return ", ".join(
        f"param {key!r} was {before[key]!r} and is {now[key]!r}"
        for key in sorted(before.keys() & now.keys())
        if not same(before[key], now[key])
    )


def same(left: object, right: object) -> bool:
    """1, 1.0 and True are three values of a param."""
    return type(left) is type(right) and left == right
