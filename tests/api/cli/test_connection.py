"""How the commands find the run that is meant."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from runledger.api.cli.connection import find_run
from runledger.api.cli.exits import BadUsage
from runledger.api.client import Client
from runledger.api.http import encoding
from runledger.api.http.examples import EXAMPLES

RUN = EXAMPLES["Run"]
HEALTH = EXAMPLES["Health"]


def client(*pages: list[Any]) -> tuple[Client, list[str]]:
    """One whose lists of runs are these, one after the other, and the queries for them."""
    waiting, queries = list(pages), []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/health"):
            return httpx.Response(200, content=encoding.encode(HEALTH))
        queries.append(request.url.query.decode())
        return httpx.Response(200, content=encoding.encode({"items": waiting.pop(0)}))

    return Client("http://ledger", transport=httpx.MockTransport(answer)), queries


def test_a_run_is_found_by_its_name_and_by_the_beginning_of_its_id() -> None:
    assert find_run(client([RUN])[0], RUN.name) == RUN.run_id
    assert find_run(client([RUN])[0], RUN.run_id[:6]) == RUN.run_id


def test_a_run_that_was_launched_just_now_is_waited_for() -> None:
    ledger, queries = client([], [RUN])

    assert find_run(ledger, RUN.name) == RUN.run_id
    assert queries == ["", f"after={HEALTH.position}"]


def test_a_word_that_fits_none_or_two_is_refused() -> None:
    with pytest.raises(BadUsage, match="no run is called"):
        find_run(client([RUN], [RUN])[0], "another")
    with pytest.raises(BadUsage, match="may be any of"):
        find_run(client([RUN, msgspec.structs.replace(RUN, run_id="f" * 32)])[0], RUN.name)
