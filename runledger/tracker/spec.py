"""RunSpec, the frozen recipe of a run, and what is asked of the machines that execute it.

The log keeps specs resolved and complete: no default is left to be filled in later. What the keys of
`values` mean is the recipe's affair; its JSON Schema is announced by the workers that can run it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import msgspec

Scalar: TypeAlias = bool | int | float | str | None
JsonObject: TypeAlias = dict[str, Any]  # msgspec has no recursive aliases: any JSON value may stand in it


class RunSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be trained, by which version of which recipe."""

    recipe: str
    version: int
    digest: str
    """SHA-256 of the recipe's source; a worker claims only runs whose digest it announces."""
    values: JsonObject

    def params(self) -> dict[str, Scalar]:
        """Each scalar of `values` under its dotted path; list items under their index."""
        return dict(flatten(self.values))


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    attempts: int = 3
    wall_seconds: float | None = None
    """Per attempt; None is no limit."""
    no_progress_seconds: float = 600.0
    """Longest time without a step, item, byte or phase change before the attempt is ended."""

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError("limits.attempts must be at least 1")
        if self.wall_seconds is not None and not self.wall_seconds > 0:
            raise ValueError("limits.wall_seconds must be positive")
        if not self.no_progress_seconds > 0:
            raise ValueError("limits.no_progress_seconds must be positive")


class DeviceRequest(msgspec.Struct, frozen=True, kw_only=True):
    kind: Literal["any", "cpu", "gpu", "tpu"] = "any"
    count: int = 1
    memory_bytes: int = 0
    """Least memory of each device; 0 asks for nothing."""

    def __post_init__(self) -> None:
        if self.count < 1 or self.memory_bytes < 0:
            raise ValueError("device.count must be at least 1 and device.memory_bytes not negative")


def flatten(values: JsonObject, prefix: str = "") -> Iterator[tuple[str, Scalar]]:
    for key, value in values.items():
        yield from _flatten_value(f"{prefix}{key}", value)


def _flatten_value(path: str, value: Any) -> Iterator[tuple[str, Scalar]]:
    if isinstance(value, dict):
        yield from flatten(value, f"{path}.")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _flatten_value(f"{path}.{index}", item)
    else:
        yield path, value
