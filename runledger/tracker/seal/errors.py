"""What goes wrong with seals.

TrackerError
└── SealError
    ├── NoteInvalid      text that no known key has signed, or that is no such note
    ├── KeyUnusable      a key file that cannot be read as a key
    ├── Contradicted     the log is not the one that was sealed: nothing more is signed
    ├── SealTakenOver    another sealer has been at work meanwhile
    ├── NotSealed        what is asked for lies behind the last seal
    └── ExportInvalid    a file that is no export, or not the one that was made
"""

from __future__ import annotations

from runledger.tracker.errors import TrackerError


class SealError(TrackerError):
    """Base of all errors about seals."""


class NoteInvalid(SealError):
    """A note is malformed, or none of the known keys has signed it."""


class KeyUnusable(SealError):
    """A file does not hold the key that is looked for there."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class Contradicted(SealError):
    """The log contradicts what was sealed; `position` is the first that is known to be affected."""

    def __init__(self, position: int, problem: str) -> None:
        super().__init__(f"position {position}: {problem}")
        self.position = position
        self.problem = problem


class SealTakenOver(SealError):
    """Another sealer has been at work meanwhile."""


class NotSealed(SealError):
    """Nothing of it is sealed yet; a sealer that runs seals it within seconds."""


class ExportInvalid(SealError):
    """An export does not hold; `line` is the first that shows it, from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line
        self.problem = problem
