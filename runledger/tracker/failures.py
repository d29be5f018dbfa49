"""A training that raised, as its journal says it: reason, class and message of the exception."""

from __future__ import annotations

from typing import Literal

from runledger.tracker.journal import Ended

MAX_MESSAGE_CHARS = 2_000
MEMORY_WORDS = ("RESOURCE_EXHAUSTED", "CUDA out of memory", "HIP out of memory")
"""XLA and torch say in a message that a device's memory is exhausted."""


def failed(error: BaseException, step: int | None) -> Ended:
    """Never raises, whatever the exception is made of."""
    return Ended(
        outcome="failed",
        step=step,
        reason=_reason(error),
        error_class=type(error).__qualname__,
        message=_message(error)[:MAX_MESSAGE_CHARS],
    )


def spelled(text: str) -> str:
    """Half a surrogate pair, as names of files may hold, is none of UTF-8: it is written as its number."""
    return text.encode("utf-8", "backslashreplace").decode()


def _reason(error: BaseException) -> Literal["error", "diverged", "out-of-memory"]:
    """What has left the finite numbers is a `FloatingPointError`."""
    if isinstance(error, FloatingPointError):
        return "diverged"
    if isinstance(error, MemoryError) or any(words in _message(error) for words in MEMORY_WORDS):
        return "out-of-memory"
    return "error"


def _message(error: BaseException) -> str:
    """A message that cannot be had does not hide that the training has failed."""
    try:
        text = str(error)
        if isinstance(error, SystemExit) and isinstance(error.code, int):
            text = f"status {error.code}"
    except Exception as problem:  # noqa: BLE001 — whatever the exception's own __str__ raises
        text = f"(its message raises {type(problem).__name__})"
    return spelled(text)
