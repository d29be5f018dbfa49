"""Two versions of the code at once: what the older one does with events that only the newer one knows.

The newer one is stood for by events whose type, or whose schema, is not in this code's catalogue.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar
from uuid import uuid4

import pytest

from runledger.projections.runner import Runner
from runledger.tracker import events
from runledger.tracker.envelope import Metadata, NewEvent, Write
from runledger.tracker.events.base import Event
from runledger.tracker.ids import RunId, run_stream
from tests.api.conftest import Api


class RunPolished(Event, frozen=True, kw_only=True):
    """Of a later release."""

    tag: ClassVar[str] = "RunPolished"
    shine: int = 1


class NotedOtherwise(Event, frozen=True, kw_only=True):
    """`RunNoted` as a later release may write it."""

    tag: ClassVar[str] = "RunNoted"
    schema: ClassVar[int] = 2
    words: tuple[str, ...] = ("better",)


NEWER = [
    (RunPolished(), "unknown event RunPolished schema 1"),
    (NotedOtherwise(), "unknown event RunNoted schema 2"),
]


def written_by_a_newer_release(api: Api, run_id: str, event: Event) -> int:
    """The position."""
    log = api.backend.log
    stream = run_stream(RunId(run_id))
    new = NewEvent(
        event_id=uuid4(),
        event=event,
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
        metadata=Metadata(actor="api:newer"),
    )
    return log.append(Write(stream=stream, expected_version=log.read(stream)[-1].version, events=(new,)))


@pytest.mark.parametrize(("event", "said"), NEWER, ids=["type", "schema"])
def test_a_projection_stops_and_health_names_it_the_event_and_why(
    event: Event, said: str, api_on_each: Api
) -> None:
    run_id = api_on_each.launch()
    position = written_by_a_newer_release(api_on_each, run_id, event)
    api_on_each.catch_up()

    health = api_on_each.client.get("/api/v1/health").json()

    stopped = {each["name"]: each for each in health["projections"] if each["stopped"]}
    assert "runs" in stopped
    for each in stopped.values():
        assert each["position"] == position - 1
        assert each["stopped"].startswith(f"at {position} ({event.tag}): UnknownEvent: {said}")
        assert any(
            line.startswith(f"{each['name']} has stopped: at {position}") for line in health["problems"]
        )
    assert health["status"] == "degraded"
    going_on = [each for each in health["projections"] if not each["stopped"]]
    assert going_on
    assert {each["lag"] for each in going_on} == {0}


def test_a_newer_process_goes_on_from_there_and_nothing_is_skipped(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = api.launch()
    written_by_a_newer_release(api, run_id, RunPolished())
    later = api.launch(name="later")
    api.catch_up()

    monkeypatch.setitem(events.CATALOGUE, "RunPolished", RunPolished)
    monkeypatch.setitem(events._decoders, "RunPolished", events.msgspec.msgpack.Decoder(RunPolished))
    Runner(api.backend.log, api.backend.views.engine).catch_up()

    health = api.client.get("/api/v1/health").json()
    assert [each["stopped"] for each in health["projections"] if each["stopped"]] == []
    assert {each["lag"] for each in health["projections"]} == {0}
    assert api.client.get(f"/api/v1/runs/{later}").json()["name"] == "later"


@pytest.mark.parametrize(("event", "said"), NEWER, ids=["type", "schema"])
def test_commands_on_what_cannot_be_read_are_put_off_and_all_others_obeyed(
    event: Event, said: str, api: Api
) -> None:
    newer, known = api.launch(), api.launch()
    position = written_by_a_newer_release(api, newer, event)

    refused = api.client.post(f"/api/v1/runs/{newer}/cancel", json={"reason": "enough"})
    assert refused.status_code == 503
    assert refused.json()["detail"] == f"{said} at position {position}: a newer version wrote it?"
    assert api.backend.log.head() == position

    assert api.client.post(f"/api/v1/runs/{known}/cancel", json={"reason": "enough"}).status_code < 300
    assert api.launch()
