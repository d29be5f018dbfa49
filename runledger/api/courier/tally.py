"""How much has been sent, for those who watch."""

from __future__ import annotations

import msgspec


class Tally(msgspec.Struct):
    """Counted by the one thread that ships."""

    attempts: int = 0
    points: int = 0
    facts: int = 0
    """Params, environments, checkpoints and artifacts that the tracker has taken, also once more."""
    output_bytes: int = 0
    files: int = 0
    file_bytes: int = 0
    set_aside: int = 0

    @property
    def sent_bytes(self) -> int:
        return self.output_bytes + self.file_bytes
