"""Which points of a run's attempts count: the effective ones, by what each resume point covers.

The newest attempt counts whole. It started from a checkpoint, so of the attempt that saved it only
what that checkpoint covers counts, and nothing of the attempts between; and so on backwards. The cut
is by `covers`, never by step: saves may commit late, and users' steps need not grow.
"""

from __future__ import annotations

from collections.abc import Mapping

from runledger.tracker.events.base import Covers, ResumePoint

NOTHING = Covers(version=0, offset=0)


def cut(
    attempts: Mapping[int, ResumePoint | None], checkpoints: Mapping[ResumePoint, Covers]
) -> dict[int, Covers | None]:
    """How much of each attempt's telemetry is effective; None is all of it.

    `attempts` are the started ones with what each resumed from. A resume point that is none of
    `checkpoints` is another run's (a fork): nothing earlier counts.
    """
    cuts: dict[int, Covers | None] = dict.fromkeys(attempts, NOTHING)
    attempt = max(attempts, default=0)
    limit: Covers | None = None
    while attempt in attempts:
        cuts[attempt] = limit
        resumed_from = attempts[attempt]
        if resumed_from is None or resumed_from not in checkpoints or resumed_from.attempt >= attempt:
            break
        attempt, limit = resumed_from.attempt, checkpoints[resumed_from]
    return cuts


def within(covers: Covers, limit: Covers | None) -> bool:
    """Whether all that `covers` covers lies inside `limit`."""
    return limit is None or (covers.version, covers.offset) <= (limit.version, limit.offset)


def points_within(version: int, points: int, limit: Covers | None) -> int:
    """How many of the `points` points of the batch at `version` lie inside `limit`."""
    if limit is None or version < limit.version:
        return points
    return min(limit.offset, points) if version == limit.version else 0
