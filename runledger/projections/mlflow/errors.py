"""What goes wrong between the log and an MLflow server.

MlflowError
├── MlflowUnavailable           no answer, or that it is its own fault (5xx, 429): try again
├── MlflowRefused               it answered that the request is wrong (4xx): trying again is of no use
├── MirrorGone                  the run that mirrored ours is not there any more, or lies in the trash
├── NameTaken                   another experiment of that server has this name
└── TakenOver                   another sink is at work, or the process ends: stop
"""

from __future__ import annotations


class MlflowError(Exception):
    """Base of all errors of the sink."""


class MlflowUnavailable(MlflowError):
    """MLflow does not answer, or says that it is its own fault. The same call may succeed later."""


class MlflowRefused(MlflowError):
    """MLflow says that the request is wrong; the message is its reason."""


class MirrorGone(MlflowError):
    """MLflow has no such run or experiment (any more), or it lies in the trash."""


class NameTaken(MlflowError):
    """Another experiment of that MLflow server has this name."""


class TakenOver(MlflowError):
    """Stop at once: the lease is lost, the state is not what was written last, or the process shall end."""
