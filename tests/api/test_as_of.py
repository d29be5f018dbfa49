"""`?as_of=`: positions and times, what the answer says of them, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import select

from runledger.api.reading.as_of import position_of
from runledger.tracker.envelope import from_micros
from runledger.tracker.store.tables import events
from tests.api.conftest import Api

CHANGES = 5


@pytest.fixture
def renamed(api_on_each: Api) -> tuple[str, list[int]]:
    """A run that was renamed again and again, and the positions of its names."""
    run_id = api_on_each.launch(name="name 0")
    positions = [api_on_each.backend.log.head()]
    for number in range(1, CHANGES):
        told = api_on_each.client.patch(f"/api/v1/runs/{run_id}", json={"name": f"name {number}"})
        positions.append(told.json()["position"])
    return run_id, positions


def taken_in_at(api: Api, position: int) -> datetime:
    with api.backend.rows() as conn:
        micros = conn.scalar(select(events.c.recorded_at).where(events.c.position == position))
    assert micros is not None
    return from_micros(micros)


def ask(api: Api, path: str, as_of: object) -> Any:
    api.catch_up()
    return api.client.get(f"/api/v1{path}", params={"as_of": as_of})


def test_the_answer_names_the_position_and_the_projection(
    api_on_each: Api, renamed: tuple[str, list[int]]
) -> None:
    run_id, positions = renamed
    for number, position in enumerate(positions):
        told = ask(api_on_each, f"/runs/{run_id}", position)
        assert (told.status_code, told.json()["name"]) == (200, f"name {number}")
        assert told.headers["x-as-of"] == str(position)
        assert told.headers["x-projections"] == "runs@1, evaluations@1"
    assert ask(api_on_each, f"/runs/{run_id}/metrics", positions[0]).headers["x-projections"] == "metrics@2"
    assert "x-as-of" not in api_on_each.client.get(f"/api/v1/runs/{run_id}").headers


def test_a_time_means_the_last_event_that_was_taken_in_by_then(
    api_on_each: Api, renamed: tuple[str, list[int]]
) -> None:
    _, positions = renamed
    for position in positions:
        at = taken_in_at(api_on_each, position)
        told = ask(api_on_each, "/runs", at.isoformat())
        here = int(told.headers["x-as-of"])
        assert here >= position and taken_in_at(api_on_each, here) == at
        before = ask(api_on_each, "/runs", (at - timedelta(microseconds=1)).isoformat())
        assert int(before.headers["x-as-of"]) < position


@pytest.mark.parametrize(
    "spelled", ["%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dt%H:%M:%S.%fz", "%Y-%m-%dT%H:%M:%S.%f000+00:00"]
)
def test_a_time_is_spelled_as_rfc_3339_has_it(
    api_on_each: Api, renamed: tuple[str, list[int]], spelled: str
) -> None:
    at = taken_in_at(api_on_each, renamed[1][1])
    meant = ask(api_on_each, "/runs", at.strftime(spelled)).headers["x-as-of"]
    assert meant == ask(api_on_each, "/runs", at.isoformat()).headers["x-as-of"]
    elsewhere = at.astimezone(timezone(timedelta(hours=5, minutes=30))).isoformat()
    unescaped = api_on_each.client.get(f"/api/v1/runs?as_of={elsewhere}")
    assert unescaped.headers["x-as-of"] == meant


def test_long_ago_there_was_nothing(api_on_each: Api, renamed: tuple[str, list[int]]) -> None:
    told = ask(api_on_each, "/runs", "2001-01-01T00:00:00Z")
    assert (told.json()["items"], told.headers["x-as-of"]) == ([], "0")
    for path in (f"/runs/{renamed[0]}", f"/runs/{renamed[0]}/metrics", f"/runs/{renamed[0]}/events"):
        assert ask(api_on_each, path, 0).status_code == 404, path


def test_a_life_is_told_up_to_the_position(api_on_each: Api, renamed: tuple[str, list[int]]) -> None:
    run_id, positions = renamed
    for position in positions:
        facts = ask(api_on_each, f"/runs/{run_id}/events", position).json()["items"]
        assert [fact["position"] for fact in facts] == [each for each in positions if each <= position]


def test_what_is_still_to_come_is_refused_with_the_head(
    api_on_each: Api, renamed: tuple[str, list[int]]
) -> None:
    head = api_on_each.backend.log.head()
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    for moment in (head + 1, tomorrow):
        for path in ("/runs", f"/runs/{renamed[0]}", f"/runs/{renamed[0]}/metrics/loss"):
            told = ask(api_on_each, path, moment)
            assert told.status_code == 409, path
            assert told.json()["type"] == "urn:runledger:problem:beyond-head"
            assert told.json()["position"] == head
            assert f"the log ends at position {head}" in told.json()["detail"]


@pytest.mark.parametrize(
    "moment",
    [
        "yesterday",
        "-1",
        "1.5",
        "2026-11-21",
        "2026-11-21T12:00:00",
        "2026-13-41T12:00:00Z",
        str(2**62 + 1),
        "",
    ],
)
def test_what_is_neither_is_named(api: Api, moment: str) -> None:
    told = ask(api, "/runs", moment)
    assert told.status_code == 422
    (fault,) = told.json()["faults"]
    assert fault["place"] == "query: as_of"


def test_a_time_is_that_of_the_log_s_clock(api: Api) -> None:
    """Whoever asks as of this very moment gets what there is."""
    api.launch()
    now = datetime.now(UTC)
    assert position_of(api.backend, now.isoformat(), now) == api.backend.log.head()
