"""How a training ended, from what ended it."""

from __future__ import annotations

from runledger.tracker.failures import failed
from runledger.tracker.journal import Ended


class Terminated(BaseException):
    """SIGTERM: the machine is taken away."""


def ended_by(error: BaseException | None, *, was_told: bool, step: int | None) -> Ended:
    """`was_told`: the training had asked whether to stop, and was told to."""
    match error:
        case None:
            return Ended(outcome="stopped" if was_told else "completed", step=step)
        case SystemExit(code=None | 0):
            return Ended(outcome="stopped" if was_told else "completed", step=step)
        case KeyboardInterrupt():
            return Ended(outcome="cancelled", step=step)
        case Terminated():
            return Ended(outcome="preempted", step=step)
    return failed(error, step)
