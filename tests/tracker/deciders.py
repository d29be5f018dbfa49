"""given(events).when(command).then(events), for every aggregate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import pytest

from tracker.aggregates import registry
from tracker.aggregates.registry import AnyCommand
from tracker.errors import TrackerError
from tracker.events.base import Event


class Given:
    def __init__(self, events: Sequence[Event]) -> None:
        self._events = tuple(events)

    def and_then(self, *events: Event) -> Given:
        return Given(self._events + events)

    def when(self, command: AnyCommand) -> When:
        return When(self._events, command)


class When:
    def __init__(self, events: tuple[Event, ...], command: AnyCommand) -> None:
        self._command = command
        self._aggregate, _ = registry.of(command)
        self._state: Any = reduce(self._aggregate.evolve, events, None)

    def then(self, *expected: Event) -> None:
        """Exactly these events; what they leave can be read on, one version an event."""
        events = self._aggregate.decide(self._state, self._command)
        assert events == expected
        after = reduce(self._aggregate.evolve, events, self._state)
        assert after.version == (self._state.version if self._state else 0) + len(events)

    def then_nothing(self) -> None:
        self.then()

    def refused_with(self, error: type[TrackerError], match: str | None = None) -> None:
        with pytest.raises(error, match=match):
            self._aggregate.decide(self._state, self._command)


def given(*events: Event) -> Given:
    return Given(events)
