"""The client that the commands share: its address and token come from the environment."""

from __future__ import annotations

import os

from api.cli.settings import ClientSettings
from api.client import Client
from tracker.settings import load

RETRY_SECONDS = 2.0
"""A person waits at the prompt: not longer than this for an API that does not answer."""


def connect(retry_seconds: float = RETRY_SECONDS) -> Client:
    settings = load(ClientSettings, os.environ)
    return Client(settings.address, settings.token, retry_seconds=retry_seconds)
