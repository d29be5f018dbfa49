"""What earlier attempts on this machine have written, as far as the next one has to know it."""

from __future__ import annotations

import msgspec

from runledger.api.tracking.folders import AttemptFolder, RunFolder
from runledger.tracker.journal import Checkpoint, Ended, Params, Reader
from runledger.tracker.spec import Scalar


class Told(msgspec.Struct, frozen=True):
    """The last checkpoint of an attempt and its end, None where there is none, and its params."""

    checkpoint: Checkpoint | None
    ended: Ended | None
    params: dict[str, Scalar]


class Saved(msgspec.Struct, frozen=True):
    """A checkpoint, and the attempt of this machine that staged it, if one did."""

    step: int
    digest: str
    attempt: AttemptFolder | None = None


def read_told(attempt: AttemptFolder) -> Told:
    reader = Reader(attempt.journal, without_points=True)
    checkpoint, ended = None, None
    params: dict[str, Scalar] = {}
    while entries := reader.read():
        for entry in entries:
            if isinstance(entry.record, Checkpoint):
                checkpoint = entry.record
            elif isinstance(entry.record, Ended):
                ended = entry.record
            elif isinstance(entry.record, Params):
                params |= entry.record.params
    return Told(checkpoint, ended, params)


def final_outcome(folder: RunFolder) -> str | None:
    """`completed` or `cancelled`; None for a run that may go on."""
    attempts = folder.attempts()
    ended = read_told(attempts[-1]).ended if attempts else None
    if ended is None:
        return None
    if ended.outcome == "stopped":
        return "cancelled" if attempts[-1].read_control().stop == "cancel" else None
    return ended.outcome if ended.outcome in ("completed", "cancelled") else None


def last_saved(folder: RunFolder) -> Saved | None:
    """What the next attempt goes on from, by the tracker's own rule: the last that was saved on the way
    that led here. An attempt that began from nothing cuts off what was saved before it."""
    for attempt in reversed(folder.attempts()):
        found = read_told(attempt).checkpoint
        if found is not None:
            return Saved(found.step, found.digest, attempt)
        if not attempt.read().resume:
            return None
    return None


def all_params(folder: RunFolder) -> dict[str, Scalar]:
    """The params that were asked for, and those that attempts have found out."""
    found = dict(folder.read().params)
    for attempt in folder.attempts():
        found |= read_told(attempt).params
    return found
