"""Everything that `projections` raises on purpose.

ProjectionError
├── MissingRow                  an event about something that no earlier event created
├── NotCaughtUp                 a projection did not reach a position in time
├── RebuildRunning              another rebuild is at work on the same database
└── RebuildStopped              a projection cannot take an event, so it was not rebuilt
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


class RebuildRunning(ProjectionError):
    """Another rebuild is at work on the same database."""

    def __init__(self) -> None:
        super().__init__("another rebuild is at work on these read models")


class RebuildStopped(ProjectionError):
    """A projection cannot take an event: its old tables go on answering, the new ones are gone."""

    def __init__(self, projection: str, position: int, event_type: str, problem: Exception) -> None:
        told = f"{type(problem).__name__}: {problem}"
        super().__init__(f"{projection} cannot take the event at position {position} ({event_type}): {told}")
        self.projection = projection
        self.position = position
        self.event_type = event_type
