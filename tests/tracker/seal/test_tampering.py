"""What was done to the database is found, and named by the first position that it has touched.

Seeded: each number is another history of changes. The last three kinds are those that only seals outside
of the database can tell.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from runledger.tracker.seal.rowcheck import LogRow
from runledger.tracker.seal.seal import read_seal, write_seal
from tests.tracker.seal.attacks import COLUMNS, Attacker, changed, rehashed, renumbered
from tests.tracker.seal.histories import KEY, STREAMS, History

EVENTS = 40
SEALED = 36
TAIL = EVENTS - SEALED


@pytest.fixture
def sealed(history: History) -> History:
    """40 events, the first 36 of them sealed by several seals."""
    for count in (1, 7, 20, 8):
        history.append(count)
        history.seal(most_leaves=8)
    history.append(TAIL)
    return history


@pytest.fixture
def attacker(sealed: History) -> Attacker:
    return Attacker(sealed.log.engine)


def any_place(seed: object, first: int = 1, last: int = SEALED) -> int:
    return random.Random(repr(seed)).randint(first, last)


def test_a_log_that_nobody_touched_is_in_order(sealed: History) -> None:
    found = sealed.verify()
    assert found.fault is None
    assert (found.events, found.sealed, found.unsealed) == (EVENTS, SEALED, TAIL)
    assert (found.seals_in_database, found.seals_outside) == (6, 6)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("column", [each for each in COLUMNS if each != "position"])
def test_an_altered_value(sealed: History, attacker: Attacker, column: str, seed: int) -> None:
    place = any_place((column, seed), last=EVENTS if column != "recorded_at" else SEALED)
    value = changed(getattr(attacker.rows()[place - 1], column))
    value = value + EVENTS if column == "version" else value
    attacker.run(f"UPDATE events SET {column} = ? WHERE position = ?", value, place)
    assert sealed.fault(outside=False) == place


@pytest.mark.parametrize("column", ["correlation_id", "causation_id"])
def test_nothing_and_an_empty_text_are_not_the_same(sealed: History, attacker: Attacker, column: str) -> None:
    attacker.run(f"UPDATE events SET {column} = '' WHERE position = 9")
    assert sealed.fault(outside=False) == 9


@pytest.mark.parametrize("seed", range(3))
def test_a_position_that_was_moved_behind_the_end(sealed: History, attacker: Attacker, seed: int) -> None:
    place = any_place(seed)
    attacker.run("UPDATE events SET position = ? WHERE position = ?", EVENTS + 1, place)
    assert sealed.fault(outside=False) == place


@pytest.mark.parametrize("seed", range(4))
def test_a_deleted_event(sealed: History, attacker: Attacker, seed: int) -> None:
    place = any_place(("deleted", seed))
    attacker.run("DELETE FROM events WHERE position = ?", place)
    assert sealed.fault(outside=False) == place


@pytest.mark.parametrize("careful", [renumbered, None])
@pytest.mark.parametrize("seed", range(3))
def test_a_deleted_event_whose_gap_was_closed(
    sealed: History, attacker: Attacker, seed: int, careful: Callable[..., Any] | None
) -> None:
    """With and without versions and times that fit."""
    place = any_place(("closed", seed))
    rows = attacker.rows()
    del rows[place - 1]
    attacker.replace_all(renumbered(rows) if careful else placed(rows))
    assert sealed.fault(outside=False) == place


@pytest.mark.parametrize("seed", range(4))
def test_an_inserted_event(sealed: History, attacker: Attacker, seed: int) -> None:
    place = any_place(("inserted", seed))
    rows = attacker.rows()
    invented = rows[place - 1]._replace(event_id=changed(rows[place - 1].event_id))
    rows.insert(place - 1, invented)
    attacker.replace_all(rehashed(sealed.log.log_id, renumbered(rows)))
    assert sealed.fault(outside=False) == place


@pytest.mark.parametrize("seed", range(4))
def test_events_in_another_order(sealed: History, attacker: Attacker, seed: int) -> None:
    one = any_place(("one", seed), last=SEALED - 1)
    other = any_place(("other", seed), first=one + 1)
    rows = attacker.rows()
    rows[one - 1], rows[other - 1] = rows[other - 1], rows[one - 1]
    attacker.replace_all(placed(rows))
    assert sealed.fault(outside=False) == one


@pytest.mark.parametrize("seed", range(4))
def test_a_truncated_log(sealed: History, attacker: Attacker, seed: int) -> None:
    """Also the head, and the seals of what is gone."""
    last = any_place(("truncated", seed), last=SEALED - 1)
    attacker.replace_all(attacker.rows()[:last])
    assert sealed.fault(outside=False) == last + 1
    attacker.run("DELETE FROM seals WHERE size > ?", last)
    assert sealed.fault(outside=False) is None
    assert sealed.fault() == last + 1


@pytest.mark.parametrize("seed", range(3))
def test_an_old_copy_put_back(sealed: History, attacker: Attacker, seed: int) -> None:
    """As it was, and then life went on: other events at the same positions."""
    last = any_place(("old copy", seed), first=9, last=30)
    attacker.replace_all(attacker.rows()[:last])
    attacker.run("DELETE FROM seals WHERE size > ?", last)
    assert sealed.fault() == last + 1
    for count in (1, 2, SEALED):
        sealed.append(count)
        assert sealed.fault(outside=False) is None
        assert sealed.fault() == last + 1


@pytest.mark.parametrize("seed", range(8))
def test_a_history_written_anew_with_hashes_that_fit(sealed: History, attacker: Attacker, seed: int) -> None:
    place = any_place(("rewritten", seed))
    rows = attacker.rows()
    payload = changed(rows[place - 1].payload[::-1])[::-1]
    rows[place - 1] = rows[place - 1]._replace(payload=payload)
    attacker.replace_all(rehashed(sealed.log.log_id, rows))
    assert sealed.fault() == place

    attacker.run("DELETE FROM seals")
    assert sealed.fault(outside=False) is None
    assert sealed.fault() == place


@pytest.mark.parametrize("seed", range(4))
def test_two_changes_of_which_the_later_shows_first(sealed: History, attacker: Attacker, seed: int) -> None:
    """A hash that does not fit is seen at once, a history that fits only at the next seal."""
    early = any_place(("early", seed), first=10, last=12)
    late = any_place(("late", seed), first=14, last=16)
    rows = attacker.rows()
    rows[early - 1] = rows[early - 1]._replace(actor="somebody else")
    forged = rehashed(sealed.log.log_id, rows)
    forged[late - 1] = forged[late - 1]._replace(actor="nobody")
    attacker.replace_all(forged)
    assert sealed.fault() == early


@pytest.mark.parametrize("seed", range(25))
def test_any_mix_of_changes(sealed: History, attacker: Attacker, seed: int) -> None:
    """One to four of them, by a careless forger or by one who makes everything fit."""
    dice = random.Random(f"mix {seed}")
    rows = attacker.rows()
    places = sorted(dice.sample(range(1, SEALED), dice.randint(1, 4)), reverse=True)
    for place in places:
        index = place - 1
        match dice.choice(["alter", "delete", "insert", "swap", "cut"]):
            case "alter":
                column = dice.choice(
                    ["payload", "type", "actor", "occurred_at", "event_id", "correlation_id"]
                )
                rows[index] = rows[index]._replace(**{column: changed(getattr(rows[index], column))})
            case "delete":
                del rows[index]
            case "insert":
                free = {"event_id": changed(rows[index].event_id), "version": rows[index].version + EVENTS}
                rows.insert(index, rows[index]._replace(**free))
            case "swap":
                rows[index], rows[index + 1 :] = rows[index + 1], [rows[index], *rows[index + 2 :]]
            case "cut":
                del rows[index:]
    careful = dice.random() < 0.7
    attacker.replace_all(rehashed(sealed.log.log_id, renumbered(rows)) if careful else placed(rows))
    attacker.run("DELETE FROM seals WHERE size > ?", len(rows))
    assert sealed.fault() == places[-1]


def test_an_event_of_the_tail_whose_own_hash_was_made_to_fit(sealed: History, attacker: Attacker) -> None:
    """Nothing bears witness to it yet, but for the next event of its stream."""
    rows = attacker.rows()
    rows[SEALED] = rows[SEALED]._replace(actor="somebody else")
    stream = rows[SEALED].stream
    forged = rehashed(sealed.log.log_id, rows)[SEALED]
    sealed.append(3, (stream,))
    rows = attacker.rows()
    rows[SEALED] = forged
    attacker.replace_all(rows)
    after = next(row.position for row in rows[SEALED + 1 :] if row.stream == stream)
    found = sealed.verify().fault
    assert found is not None
    assert (found.position, "it is not chained to version" in found.problem) == (after, True)


def test_a_time_of_the_tail_that_is_earlier_than_the_one_before(sealed: History, attacker: Attacker) -> None:
    attacker.run("UPDATE events SET recorded_at = 5 WHERE position = ?", SEALED + 1)
    found = sealed.verify().fault
    assert found is not None
    assert found.problem == "it was recorded before the event before it"


def thin_out(history: History) -> None:
    """Of the seals of 1, 8, 16, 24, 28 and 36 events those of 16 and 24 are gone, here and outside."""
    folder = Path(history.url.removeprefix("file://")) / history.log.log_id
    for name in list(history.place.names()):
        if name.size in (16, 24):
            (folder / str(name)).unlink()
    Attacker(history.log.engine).run("DELETE FROM seals WHERE size IN (16, 24)")


@pytest.mark.parametrize(
    ("place", "named", "problem"), [(12, 9, "from here to 24"), (26, 26, "the event is")]
)
def test_where_seals_are_gone_what_they_covered_is_named(
    sealed: History, attacker: Attacker, place: int, named: int, problem: str
) -> None:
    """Their leaves are known to nobody; those of the seals that are left are."""
    thin_out(sealed)
    assert sealed.fault() is None
    rows = attacker.rows()
    rows[place - 1] = rows[place - 1]._replace(actor="somebody else")
    attacker.replace_all(rehashed(sealed.log.log_id, rows))
    found = sealed.verify().fault
    assert found is not None
    assert (found.position, problem in found.problem) == (named, True)


def test_an_event_that_is_there_twice(sealed: History, attacker: Attacker) -> None:
    attacker.run("UPDATE head SET position = ?", EVENTS - 1)
    assert sealed.fault(outside=False) == EVENTS


def test_a_head_that_was_moved_on(sealed: History, attacker: Attacker) -> None:
    attacker.run("UPDATE head SET position = ?", EVENTS + 3)
    assert sealed.fault(outside=False) == EVENTS + 1


def test_a_head_whose_time_was_changed(sealed: History, attacker: Attacker) -> None:
    attacker.run("UPDATE head SET recorded_at = recorded_at + 1")
    assert sealed.fault(outside=False) == EVENTS


def test_another_log_id(sealed: History, attacker: Attacker) -> None:
    attacker.run("UPDATE log_info SET log_id = 'another'")
    sealed.log.log_id = "another"
    assert sealed.fault(outside=False) == 1


@pytest.mark.parametrize("column", ["root", "sealed_at", "frontier", "note"])
def test_a_seal_that_was_changed(sealed: History, attacker: Attacker, column: str) -> None:
    value = {"sealed_at": 5, "note": "nothing"}.get(column, bytes(32))
    attacker.run(f"UPDATE seals SET {column} = ? WHERE size = 16", value)
    found = sealed.verify(outside=False).fault
    assert found is not None
    assert found.position == 16
    assert "in the database does not hold" in found.problem


def test_a_forged_seal_does_not_hide_what_lies_before_it(sealed: History, attacker: Attacker) -> None:
    rows = attacker.rows()
    rows[11] = rows[11]._replace(actor="somebody else")
    attacker.replace_all(rehashed(sealed.log.log_id, rows))
    attacker.run("UPDATE seals SET note = 'nothing' WHERE size = 16")
    assert sealed.fault() == 12


def test_a_seal_whose_root_is_not_that_of_its_leaves(sealed: History) -> None:
    """By whoever has the key."""
    name = list(sealed.place.names())[2]
    seal = read_seal(sealed.place.read(name), sealed.log.log_id, sealed.keys)
    sealed.place.write(name, write_seal(replace(seal, root=bytes(32)), KEY))
    found = sealed.verify().fault
    assert found is not None
    assert (found.position, found.problem) == (16, "its seal has another root than its own leaves")


def test_a_file_outside_that_is_no_seal(sealed: History) -> None:
    name = list(sealed.place.names())[2]
    sealed.place.write(name, "nothing")
    found = sealed.verify().fault
    assert found is not None
    assert (found.position, "outside does not hold" in found.problem) == (name.size, True)


def test_a_seal_outside_under_the_name_of_another(sealed: History) -> None:
    one, other = list(sealed.place.names())[2:4]
    sealed.place.write(one, sealed.place.read(other))
    assert sealed.fault() == one.size


def test_what_no_writer_stores(sealed: History, attacker: Attacker, database_kind: str) -> None:
    if database_kind == "sqlite":
        for value in ("CAST(x'ff' AS TEXT)", "1.5", "x'00'"):
            attacker.run(f"UPDATE events SET actor = {value} WHERE position = 20")
            assert sealed.fault(outside=False) == 20
        attacker.run("UPDATE events SET hash = 'text' WHERE position = 11")
        attacker.run("UPDATE events SET event_id = upper(event_id) WHERE position = 12")
        assert sealed.fault(outside=False) == 11
        assert sealed.verify(outside=False, run_id="a").fault is not None
        attacker.run("UPDATE seals SET frontier = 'text', note = CAST(x'ff' AS TEXT) WHERE size = 1")
        assert sealed.fault(outside=False) == 1
    else:
        attacker.run("UPDATE events SET hash = '' WHERE position = 11")
        assert sealed.fault(outside=False) == 11


def test_an_id_in_capitals_is_not_the_id(sealed: History, attacker: Attacker, database_kind: str) -> None:
    if database_kind == "sqlite":
        attacker.run("UPDATE events SET event_id = upper(event_id) WHERE position = 12")
        assert sealed.fault(outside=False) == 12


def placed(rows: list[LogRow]) -> list[LogRow]:
    """One position after the other, nothing else made to fit."""
    return [row._replace(position=position) for position, row in enumerate(rows, 1)]


def test_one_run_is_verified_by_itself(sealed: History, attacker: Attacker) -> None:
    """Its own events whole, of all others their leaves."""
    own = [row.position for row in attacker.rows() if row.stream in ("run-a", "telemetry-a-1")]
    foreign = next(row.position for row in attacker.rows() if row.stream == "run-b")
    assert sealed.verify(run_id="a").fault is None

    attacker.run("UPDATE events SET actor = 'x' WHERE position = ?", foreign)
    assert sealed.verify(run_id="a").fault is None
    attacker.run("UPDATE events SET actor = 'x' WHERE position = ?", own[2])
    fault = sealed.verify(run_id="a").fault
    assert fault is not None
    assert fault.position == own[2]


def test_a_run_whose_last_events_are_gone(sealed: History, attacker: Attacker) -> None:
    last = [row.position for row in attacker.rows()[:SEALED] if row.stream == STREAMS[0]][-1]
    attacker.run("DELETE FROM events WHERE position = ?", last)
    fault = sealed.verify(run_id="a").fault
    assert fault is not None
    assert fault.position == last
