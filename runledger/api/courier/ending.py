"""How an attempt's end is told, from the last word of its journal or from there being none."""

from __future__ import annotations

from pathlib import Path

from runledger.api.courier.door import Ending, moment
from runledger.api.tracking.folders import AttemptFolder
from runledger.tracker.journal import Ended

LAST_LINES = 20
MAX_LINE_CHARS = 2_000
TAIL_BYTES = 64 * 1024
MAX_CLASS_CHARS = 500
MAX_MESSAGE_CHARS = 20_000


def endings(ended: Ended | None, folder: AttemptFolder, *, is_replaced: bool) -> list[Ending]:
    """What is told, and what instead where that is refused: never that a crash was a finish."""
    lost = Ending(outcome="lost", replaced=is_replaced, occurred_at=moment(_last_sign(folder)))
    if ended is None:
        return [lost]
    at = None if ended.time is None else moment(ended.time)
    bare = Ending(outcome=ended.outcome, step=ended.step, reason=ended.reason, occurred_at=at)
    return [_whole(ended, bare, folder), bare, lost]


def _whole(ended: Ended, bare: Ending, folder: AttemptFolder) -> Ending:
    if ended.outcome == "failed":
        lines = ended.last_lines or last_lines(folder.output)
        return Ending(
            outcome="failed",
            step=ended.step,
            reason=ended.reason,
            error_class=ended.error_class[:MAX_CLASS_CHARS],
            message=ended.message[:MAX_MESSAGE_CHARS],
            last_lines=tuple(line[:MAX_LINE_CHARS] for line in lines),
            occurred_at=bare.occurred_at,
        )
    return Ending(
        outcome=ended.outcome,
        step=ended.step,
        metrics=ended.metrics,
        message=ended.message[:MAX_LINE_CHARS],
        occurred_at=bare.occurred_at,
    )


def last_lines(output: Path) -> tuple[str, ...]:
    """Of what was captured."""
    if not output.exists():
        return ()
    with output.open("rb") as file:
        file.seek(max(output.stat().st_size - TAIL_BYTES, 0))
        return tuple(file.read().decode(errors="replace").splitlines()[-LAST_LINES:])


def _last_sign(folder: AttemptFolder) -> int:
    """When the journal was last written, in µs since 1970; of an attempt without one, when it began."""
    if folder.journal.exists():
        return folder.journal.stat().st_mtime_ns // 1000
    return folder.read().started_at
