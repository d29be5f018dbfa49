"""The client that the commands share: its address and token come from the environment."""

from __future__ import annotations

import os
import re

from runledger.api.answers import RunRow
from runledger.api.cli.exits import BadUsage
from runledger.api.cli.settings import ClientSettings
from runledger.api.client import Client
from runledger.tracker.settings import load

RETRY_SECONDS = 2.0
"""A person waits at the prompt: not longer than this for an API that does not answer."""


def connect(retry_seconds: float = RETRY_SECONDS) -> Client:
    settings = load(ClientSettings, os.environ)
    return Client(settings.address, settings.token, retry_seconds=retry_seconds)


def find_run(client: Client, word: str) -> str:
    """The id of the run that is meant: by its id, the beginning of it, or its name. Raises BadUsage."""
    if re.fullmatch("[0-9a-f]{32}", word):
        return word
    rows = _runs_called(client, word) or _runs_called(client, word, after=client.health().position)
    if len(rows) == 1:
        return rows[0].run_id
    if not rows:
        raise BadUsage(f"no run is called {word!r} or has an id that begins so")
    raise BadUsage(f"{word!r} may be any of {', '.join(row.run_id for row in rows)}")


def _runs_called(client: Client, word: str, after: int | None = None) -> list[RunRow]:
    """`after` makes sure that a run which was launched just now is among them."""
    rows = client.runs(after=after)
    return [row for row in rows if row.name == word or row.run_id.startswith(word)]
