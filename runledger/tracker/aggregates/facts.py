"""When two events say the same."""

from __future__ import annotations

from runledger.tracker import events
from runledger.tracker.events.base import Event


def is_same(left: Event, right: Event) -> bool:
    """Equal, and NaN equal to itself: a command sent twice is recognised whatever it carries."""
    return left == right or (type(left) is type(right) and events.encode(left) == events.encode(right))
