"""The sealer: within one look at the log, wherever it was killed, and never against its own word."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.seal import rows, sealer
from runledger.tracker.seal.errors import Contradicted
from runledger.tracker.seal.notes import open_note, public_key_of
from runledger.tracker.seal.place import Name, Place, name_of
from runledger.tracker.seal.seal import read_seal, write_seal
from runledger.tracker.seal.sealer import Sealer
from runledger.tracker.seal.state import seal_state
from runledger.tracker.seal.verifying import verify_log
from runledger.tracker.store import leases
from runledger.tracker.store.engine import read, write
from runledger.tracker.store.log import Log
from tests.tracker.seal.attacks import Attacker
from tests.tracker.seal.histories import CLOCK, KEY, History


class Killed(BaseException):
    """What a sealer that is killed says: nothing."""


def sizes(history: History) -> list[int]:
    return [row.size for row in rows.stored_seals(history.log.engine)]


def outside(history: History) -> list[int]:
    return [name.size for name in history.place.names()]


def test_an_empty_log_has_no_seal(history: History) -> None:
    assert history.sealer().seal() is None
    assert sizes(history) == outside(history) == []


def test_what_was_appended_is_sealed_here_and_outside(history: History) -> None:
    history.append(3)
    seal = history.sealer().seal()

    assert seal is not None
    assert (seal.size, seal.base, len(seal.leaves)) == (3, 0, 96)
    (row,) = rows.stored_seals(history.log.engine)
    (name,) = history.place.names()
    assert history.place.read(name) == row.note
    assert open_note(row.note, history.keys).startswith(f"{history.log.log_id}\n3\n")


def test_a_seal_goes_on_from_the_one_before(history: History) -> None:
    one = history.sealer()
    for count in (1, 4, 2):
        history.append(count)
        one.seal()
        assert one.seal() is None
    assert sizes(history) == outside(history) == [1, 5, 7]
    assert history.verify().fault is None


def test_many_events_are_sealed_by_several_seals(history: History) -> None:
    history.append(11)
    assert history.seal(most_leaves=4) == 3
    assert sizes(history) == [4, 8, 11]
    assert history.verify().sealed == 11


def test_another_sealer_goes_on_where_the_first_has_stopped(history: History) -> None:
    first, second = history.sealer(), history.sealer()
    for each in (first, second, first, second):
        history.append(2)
        assert each.seal() is not None
    assert sizes(history) == [2, 4, 6, 8]
    assert history.verify().fault is None


def test_while_one_seals_another_waits(history: History, ledger: Engine) -> None:
    history.append(2)
    with write(ledger) as conn:
        epoch = leases.claim(conn, sealer.LEASE, 1, "another", 60)
    assert history.sealer().seal() is None

    with write(ledger) as conn:
        assert epoch is not None
        leases.release(conn, sealer.LEASE, epoch)
    assert history.sealer().seal() is not None


def test_one_that_was_taken_over_writes_no_row(history: History, ledger: Engine) -> None:
    class Slow(Place):
        """Takes so long that others think us dead."""

        def write(self, name: object, note: str) -> None:
            super().write(name, note)  # type: ignore[arg-type]
            with write(ledger) as conn:
                lease = leases.get(conn, sealer.LEASE)
                assert lease is not None
                leases.revoke(conn, sealer.LEASE, lease.epoch)

    history.append(2)
    slow = Sealer(history.log, Slow(history.url, history.log.log_id), KEY, clock=CLOCK)
    assert slow.seal() is None
    assert sizes(history) == []
    assert history.seal() == 1
    assert (sizes(history), outside(history)) == ([2], [2])


def test_killed_between_the_file_outside_and_the_row(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.append(3)
    history.seal()
    history.append(2)
    with monkeypatch.context() as patched:
        patched.setattr(rows, "add_seal", _kill)
        with pytest.raises(Killed):
            history.sealer().seal()
    assert (sizes(history), outside(history)) == ([3], [3, 5])

    history.append(1)
    assert history.seal() == 2
    assert (sizes(history), outside(history)) == ([3, 5, 6], [3, 5, 6])
    assert history.verify().fault is None


def test_killed_before_the_file_outside(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    history.append(3)
    with monkeypatch.context() as patched:
        patched.setattr(Place, "write", _kill)
        with pytest.raises(Killed):
            history.sealer().seal()
    assert history.seal() == 1
    assert sizes(history) == outside(history) == [3]


def _kill(*arguments: object) -> None:
    raise Killed


def test_a_place_that_is_away_is_an_outage_and_no_seal(history: History, tmp_path: Path) -> None:
    history.append(1)
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(StoreUnavailable, match="file"):
        Sealer(history.log, Place(f"file://{blocked}", history.log.log_id), KEY).seal()
    assert sizes(history) == []


def test_a_new_place_is_given_all_seals(history: History, tmp_path: Path) -> None:
    history.append(2)
    history.seal()
    history.append(2)
    moved = Place(f"file://{tmp_path / 'moved'}", history.log.log_id)
    Sealer(history.log, moved, KEY, clock=CLOCK).seal()
    assert [name.size for name in moved.names()] == [2, 4]


def test_a_log_that_has_become_shorter_is_not_sealed(history: History) -> None:
    history.append(5)
    history.seal()
    running = history.sealer()
    attacker = Attacker(history.log.engine)
    attacker.replace_all(attacker.rows()[:3])
    for each in (running, history.sealer()):
        with pytest.raises(Contradicted, match="position 4: it is missing, and 5 events were sealed"):
            each.seal()
    assert sizes(history) == [5]


def test_a_root_that_contradicts_the_last_outside_is_not_signed(history: History) -> None:
    history.append(3)
    history.seal()
    history.append(2)
    history.seal()
    attacker = Attacker(history.log.engine)
    attacker.run("DELETE FROM seals WHERE size = 5")
    attacker.replace_all(attacker.rows()[:3])
    with pytest.raises(Contradicted, match="5 events were sealed outside"):
        history.sealer().seal()

    history.append(3)
    with pytest.raises(Contradicted, match="from here to 5 something is not as sealed"):
        history.sealer().seal()
    assert (sizes(history), outside(history)) == ([3], [3, 5])


def test_a_sealed_event_that_has_changed_is_noticed_at_the_edge(history: History) -> None:
    history.append(3)
    running = history.sealer()
    running.seal()
    Attacker(history.log.engine).run("UPDATE events SET recorded_at = recorded_at - 1 WHERE position = 3")
    history.append(1)
    with pytest.raises(Contradicted, match="position 3: the event is not the one that was sealed"):
        running.seal()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE seals SET note = 'nothing'",
        "UPDATE seals SET sealed_at = sealed_at + 1",
        "UPDATE seals SET frontier = substr(frontier, 1, 32)",
        "UPDATE seals SET root = frontier",
    ],
)
def test_a_row_that_was_changed_is_not_built_on(history: History, change: str) -> None:
    history.append(3)
    history.seal()
    Attacker(history.log.engine).run(change)
    history.append(1)
    with pytest.raises(Contradicted, match="the seal in the database does not hold"):
        history.sealer().seal()


def test_a_new_key_goes_on_where_it_trusts_the_old_one(history: History) -> None:
    history.append(3)
    history.seal()
    history.append(2)
    new = Ed25519PrivateKey.generate()
    with pytest.raises(Contradicted, match="not signed by a known key"):
        Sealer(history.log, history.place, new, clock=CLOCK).seal()
    assert Sealer(history.log, history.place, new, trusted=history.keys, clock=CLOCK).seal() is not None
    assert history.fault() == 5

    keys = [*history.keys, public_key_of(history.log.log_id, new)]
    assert verify_log(history.log, keys, history.place).fault is None
    assert verify_log(history.log, keys, history.place).sealed == 5


def test_a_later_seal_outside_of_fewer_events_is_a_contradiction(history: History) -> None:
    history.append(2)
    history.seal()
    small = history.place.read(next(history.place.names()))
    history.append(2)
    history.seal()
    seal = read_seal(small, history.log.log_id, history.keys)
    later = msgspec.structs.replace(seal, sealed_at=CLOCK())
    history.place.write(name_of(later), write_seal(later, KEY))
    history.append(1)
    with pytest.raises(Contradicted, match="position 2: a later seal outside covers fewer events"):
        history.sealer().seal()


def test_what_is_no_hash_is_not_sealed(history: History) -> None:
    history.append(3)
    Attacker(history.log.engine).run("UPDATE events SET hash = '' WHERE position = 2")
    with pytest.raises(Contradicted, match="position 2: hash holds what no writer stores"):
        history.sealer().seal()


def test_a_gap_is_not_sealed(history: History) -> None:
    history.append(4)
    Attacker(history.log.engine).run("DELETE FROM events WHERE position = 2")
    with pytest.raises(Contradicted, match="position 2: it is missing"):
        history.sealer().seal()


def test_seals_cannot_be_changed_by_accident(history: History) -> None:
    history.append(1)
    history.seal()
    for statement in ("UPDATE seals SET sealed_at = 0", "DELETE FROM seals"):
        with pytest.raises(DBAPIError, match="append-only"), write(history.log.engine) as conn:
            conn.execute(text(statement))


def test_what_stands_in_the_way_is_said_and_forgotten_once_it_is_gone(history: History) -> None:
    history.append(2)
    history.seal()
    history.append(1)
    name = next(history.place.names())
    path = Path(history.url.removeprefix("file://")) / history.log.log_id / str(name)
    saved = path.with_name("saved")
    shutil.copy(path, saved)
    path.write_text("nothing")
    stop = threading.Event()

    class Stopping(Sealer):
        def seal(self) -> object:  # type: ignore[override]
            stop.set()
            return super().seal()

    refusing = Stopping(history.log, history.place, KEY, clock=CLOCK)
    refusing.run(stop, 0.01)
    with read(history.log.engine) as conn:
        state = seal_state(conn)
    assert (state.size, state.problem is not None) == (2, True)
    assert "outside does not hold" in str(state.problem)

    shutil.copy(saved, path)
    refusing.run(_cleared(stop), 0.01)
    with read(history.log.engine) as conn:
        state = seal_state(conn)
    assert (state.size, state.problem) == (3, None)


def _cleared(stop: threading.Event) -> threading.Event:
    stop.clear()
    return stop


def test_a_log_is_in_order_while_it_grows_and_is_sealed(history: History, log: Log) -> None:
    """Whoever verifies meets neither half of an append nor half of a seal."""
    stop = threading.Event()
    sealing = threading.Thread(target=history.sealer(most_leaves=7).run, args=(stop, 0.001))
    writing = threading.Thread(target=_write_until, args=(history, stop))
    sealing.start()
    writing.start()
    faults = [history.verify().fault for _ in range(15)]
    stop.set()
    sealing.join()
    writing.join()
    assert faults == [None] * 15
    assert log.head() > 0


def _write_until(history: History, stop: threading.Event) -> None:
    while not stop.is_set():
        history.append(5)


def test_it_waits_for_a_place_that_is_away(history: History, caplog: pytest.LogCaptureFixture) -> None:
    stop = threading.Event()

    class Away(Place):
        """For one look."""

        tries = 0

        def newest(self) -> Name | None:
            self.tries += 1
            if self.tries == 1:
                raise StoreUnavailable(self.url, "gone")
            stop.set()
            return super().newest()

    history.append(1)
    away = Away(history.url, history.log.log_id)
    Sealer(history.log, away, KEY, clock=CLOCK).run(stop, 0.01)
    assert "nothing is sealed at the moment" in caplog.text
    assert sizes(history) == [1]


def test_it_runs_until_it_is_told_to_stop(history: History, log: Log) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=history.sealer(most_leaves=2).run, args=(stop, 0.01))
    thread.start()
    history.append(5)
    while (done := sizes(history)[-1:]) != [5] and thread.is_alive():
        stop.wait(0.01)
    stop.set()
    thread.join()
    assert done == [5]
    assert history.verify().fault is None
