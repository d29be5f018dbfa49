"""Rules for the few texts that people choose: names, tags, and the keys of params and artifacts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runledger.tracker.errors import BadInput

MAX_NAME_CHARS = 250
MAX_TAG_CHARS = 5_000
MAX_KEY_CHARS = 500
"""Keys stand in indexes, and an index of PostgreSQL takes no more than 2,700 bytes a row."""
MAX_PARAM_CHARS = 100_000
MAX_PARAMS = 10_000
MAX_TAGS = 1_000
"""The last three hold for runs executed elsewhere."""


def check_name(name: str, place: str = "$.name") -> None:
    if not name.strip():
        raise BadInput(place, "must not be empty")
    if len(name) > MAX_NAME_CHARS:
        raise BadInput(place, f"{len(name)} characters are more than {MAX_NAME_CHARS}")


def check_tags(tags: Mapping[str, str], place: str = "$.tags") -> None:
    for key, value in tags.items():
        check_name(key, place)
        if len(value) > MAX_TAG_CHARS:
            raise BadInput(f"{place}.{key}", f"{len(value)} characters are more than {MAX_TAG_CHARS}")


def check_keys(keys: Iterable[str], place: str) -> None:
    for key in keys:
        if len(key) > MAX_KEY_CHARS:
            raise BadInput(place, f"a key of {len(key)} characters is longer than {MAX_KEY_CHARS}")
