"""Old shapes of events made new: (tag, schema) to a function from its fields to those of the next schema."""

from __future__ import annotations

from collections.abc import Callable

from runledger.tracker.spec import JsonObject

UPCASTS: dict[tuple[str, int], Callable[[JsonObject], JsonObject]] = {}
