"""What every event is, and the small values that several events share.

An event is a fact: past tense, frozen, never edited. Its `tag` is permanent and its `schema` a
growing integer; a field may be added with a default, anything else is a new schema and an upcast.
The stream's own id is not repeated in the payload.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from runledger.tracker.ids import Digest


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    tag: ClassVar[str]
    schema: ClassVar[int] = 1


class Covers(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an attempt's telemetry that a saved state includes.

    Batches with a stream version below `version` are covered whole, and of the batch at `version` the
    first `offset` points. (0, 0) covers nothing.
    """

    version: int
    offset: int


class ResumePoint(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded checkpoint that a later attempt starts from."""

    attempt: int
    step: int
    digest: Digest


class ForkPoint(msgspec.Struct, frozen=True, kw_only=True):
    """The checkpoint of another run that a run starts from."""

    run_id: str
    step: int
    digest: Digest
    changed: tuple[str, ...] | UnsetType = UNSET
    """What was asked for otherwise than there: `spec.<param>`, or `recipe` for another source of it."""


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One score of an evaluation with its 95 % interval over `count` scored items."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    count: int
    unscored: int = 0
    method: str | UnsetType = UNSET
    """How the interval was found, `wilson` or `bootstrap` say; absent where nobody said."""
