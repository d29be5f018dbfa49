"""What a rehearsal raises on purpose, beside what the spec's check and the recipe raise.

TrainerError
└── RehearsalRefused        what was asked for cannot be tried
"""

from __future__ import annotations

from runledger.trainer.errors import TrainerError


class RehearsalRefused(TrainerError):
    """No such recipe, preset or scorer, or a folder that holds no rehearsal."""
