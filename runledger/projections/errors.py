"""Everything that `projections` raises on purpose.

ProjectionError
├── MissingRow                  an event about something that no earlier event created
└── NotCaughtUp                 a projection did not reach a position in time
"""

from __future__ import annotations


class ProjectionError(Exception):
    """Base of all errors of this package."""


class MissingRow(ProjectionError):
    """An event about something that no earlier event created."""

    def __init__(self, table: str, key: tuple[object, ...]) -> None:
        super().__init__(f"no row {key!r} in {table}")
        self.table = table
        self.key = key


class NotCaughtUp(ProjectionError):
    """A projection did not reach a position in time."""

    def __init__(self, projection: str, wanted: int, position: int) -> None:
        super().__init__(f"{projection} is at position {position}, not yet at {wanted}")
        self.projection = projection
        self.wanted = wanted
        self.position = position
