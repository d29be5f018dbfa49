"""given(events).when(command).then(events), for every aggregate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import pytest

from runledger.tracker import events
from runledger.tracker.aggregates import registry
from runledger.tracker.aggregates.registry import AnyCommand
from runledger.tracker.errors import TrackerError
from runledger.tracker.events.base import Event


class Given:
    def __init__(self, past: Sequence[Event]) -> None:
        self._past = tuple(past)

    def when(self, command: AnyCommand) -> When:
        return When(self._past, command)


class When:
    def __init__(self, past: tuple[Event, ...], command: AnyCommand) -> None:
        self._command = command
        self._aggregate, _ = registry.of(command)
        self._state: Any = reduce(self._aggregate.evolve, past, None)

    def then(self, *expected: Event) -> None:
        """Exactly these events; what they leave can be read on, one version an event."""
        decided = self._aggregate.decide(self._state, self._command)
        assert [type(event) for event in decided] == [type(event) for event in expected]
        # As bytes: NaN is not equal to itself.
        assert [*map(events.encode, decided)] == [*map(events.encode, expected)], decided
        after = reduce(self._aggregate.evolve, decided, self._state)
        assert after.version == (self._state.version if self._state else 0) + len(decided)

    def then_nothing(self) -> None:
        self.then()

    def refused_with(self, error: type[TrackerError], match: str | None = None) -> None:
        with pytest.raises(error, match=match):
            self._aggregate.decide(self._state, self._command)


def given(*past: Event) -> Given:
    return Given(past)
