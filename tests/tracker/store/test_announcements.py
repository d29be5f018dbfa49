"""Workers announce what they can do, and are forgotten when they are not seen."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, update

from runledger.tracker.ids import WorkerId
from runledger.tracker.spec import DeviceRequest
from runledger.tracker.store import announcements
from runledger.tracker.store.announcements import Device, RecipeAnnouncement, Worker
from runledger.tracker.store.engine import read, write
from runledger.tracker.store.tables import workers as table

LM = RecipeAnnouncement(
    name="lm", version=1, digest="d1", schema={"type": "object"}, presets={"small": {"a": 1}}
)
GPU = Device(kind="gpu", name="big", memory_bytes=80)


def worker(name: str = "one", *recipes: RecipeAnnouncement) -> Worker:
    return Worker(
        worker_id=WorkerId(name), recipes=recipes or (LM,), devices=(GPU, GPU), labels={"zone": "a"}
    )


def age(ledger: Engine, name: str, seconds: int) -> None:
    with write(ledger) as conn:
        older = {"seen_at": table.c.seen_at - seconds * 1_000_000}
        conn.execute(update(table).where(table.c.worker_id == name).values(older))


def test_a_worker_is_read_back_as_it_announced_itself(ledger: Engine) -> None:
    with write(ledger) as conn:
        announcements.announce(conn, worker())
        (found,) = announcements.workers(conn)
    assert (found.worker_id, found.recipes, found.devices) == ("one", (LM,), (GPU, GPU))
    assert (found.labels, found.state) == ({"zone": "a"}, "idle")
    assert found.started_at is not None
    assert found.seen_at is not None
    assert found.started_at <= found.seen_at


def test_what_is_announced_again_replaces_what_was(ledger: Engine) -> None:
    newer = RecipeAnnouncement(name="lm", version=2, digest="d2", schema={})
    with write(ledger) as conn:
        announcements.announce(conn, worker())
        announcements.announce(conn, worker("one", newer))
        (found,) = announcements.workers(conn)
    assert found.recipes == (newer,)


def test_a_worker_is_touched_and_withdrawn(ledger: Engine) -> None:
    with write(ledger) as conn:
        assert not announcements.touch(conn, "one")
        announcements.announce(conn, worker())
        assert announcements.touch(conn, "one", state="training")
        assert announcements.workers(conn)[0].state == "training"
        announcements.withdraw(conn, "one")
        assert announcements.workers(conn) == []


def test_a_worker_that_is_not_seen_is_not_counted_on(ledger: Engine) -> None:
    with write(ledger) as conn:
        announcements.announce(conn, worker("one"))
        announcements.announce(conn, worker("two"))
    age(ledger, "one", 100)
    with write(ledger) as conn:
        assert [each.worker_id for each in announcements.workers(conn, 60)] == ["two"]
        assert announcements.forget_stale(conn, 60) == 1
        assert [each.worker_id for each in announcements.workers(conn)] == ["two"]


def test_each_recipe_is_listed_once_by_digest_newest_first(ledger: Engine) -> None:
    newer = RecipeAnnouncement(name="lm", version=2, digest="d2", schema={})
    other = RecipeAnnouncement(name="aa", version=1, digest="d3", schema={})
    with write(ledger) as conn:
        announcements.announce(conn, worker("one", LM, other))
        announcements.announce(conn, worker("two", LM, newer))
        announcements.announce(
            conn, worker("gone", RecipeAnnouncement(name="x", version=1, digest="x", schema={}))
        )
    age(ledger, "gone", 100)
    with read(ledger) as conn:
        found = [(recipe.name, recipe.version) for recipe in announcements.recipes(conn)]
    assert found == [("aa", 1), ("lm", 2), ("lm", 1)]


@pytest.mark.parametrize(
    ("device", "labels", "served"),
    [
        (DeviceRequest(), {}, True),
        (DeviceRequest(kind="gpu", count=2, memory_bytes=80), {"zone": "a"}, True),
        (DeviceRequest(kind="cpu"), {}, False),
        (DeviceRequest(count=3), {}, False),
        (DeviceRequest(kind="gpu", memory_bytes=81), {}, False),
        (DeviceRequest(), {"zone": "b"}, False),
        (DeviceRequest(), {"rack": "1"}, False),
    ],
)
def test_a_worker_serves_what_it_has(device: DeviceRequest, labels: dict[str, str], served: bool) -> None:
    assert worker().serves(device, labels) is served
