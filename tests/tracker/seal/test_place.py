"""Where seals lie outside of the database, in a folder and in a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runledger.tracker.envelope import to_micros
from runledger.tracker.errors import BadSetting, StoreUnavailable
from runledger.tracker.seal.errors import NoteInvalid
from runledger.tracker.seal.opening import open_place
from runledger.tracker.seal.place import Name, Place

BUCKET = "seals"
CREDENTIALS = {"key": "test", "secret": "test"}
AT = datetime(2026, 1, 2, 23, 59, 59, 999_990, tzinfo=UTC)


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    """A moto server in a thread, with one bucket."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    s3fs = pytest.importorskip("s3fs")
    s3fs.S3FileSystem(endpoint_url=f"http://{host}:{port}", **CREDENTIALS, skip_instance_cache=True).mkdir(
        BUCKET
    )
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return Place(f"file://{tmp_path}", "log")
    endpoint: str = request.getfixturevalue("s3_endpoint")
    return Place(f"s3://{BUCKET}/{tmp_path.name}", "log", endpoint_url=endpoint, **CREDENTIALS)


def name(micros: int, size: int) -> Name:
    return Name(to_micros(AT + timedelta(microseconds=micros)), size)


def test_an_empty_place_has_no_seals(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "nowhere"), "log")
    assert list(place.names()) == []
    assert place.newest() is None


def test_names_are_in_the_order_in_which_seals_were_made(place: Place) -> None:
    """Also where a later one is smaller, and on the next day."""
    made = [name(0, 9), name(1, 100), name(2, 20), name(30, 3)]
    for each in reversed(made):
        place.write(each, f"note {each.size}\n")
    assert list(place.names()) == made
    assert place.newest() == made[-1]
    assert place.read(made[1]) == "note 100\n"


def test_names_tell_the_time_and_the_size() -> None:
    assert str(name(0, 4711)) == "2026-01-02/20260102T235959.999990Z-4711.note"
    assert str(name(20, 1)) == "2026-01-03/20260103T000000.000010Z-1.note"
    assert name(0, 1).moment == AT


def test_files_that_are_none_of_ours_are_passed_over(tmp_path: Path) -> None:
    place = Place(f"file://{tmp_path}", "log")
    place.write(name(0, 1), "note\n")
    (tmp_path / "log" / "README").touch()
    (tmp_path / "log" / "2026-01-02" / ".0123.part").touch()
    (tmp_path / "log" / "2026-01-02" / "20260102T235959.999990Z-1.note.bak").touch()
    assert list(place.names()) == [name(0, 1)]


def test_the_seals_of_another_log_lie_elsewhere(tmp_path: Path) -> None:
    Place(f"file://{tmp_path}", "log").write(name(0, 1), "note\n")
    assert Place(f"file://{tmp_path}", "other").newest() is None


def test_what_is_no_text_is_no_note(tmp_path: Path) -> None:
    place = Place(f"file://{tmp_path}", "log")
    place.write(name(0, 1), "note\n")
    (tmp_path / "log" / str(name(0, 1))).write_bytes(b"\xff")
    with pytest.raises(NoteInvalid):
        place.read(name(0, 1))


def test_a_seal_that_is_gone_is_named_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=str(tmp_path)):
        Place(f"file://{tmp_path}", "log").read(name(0, 1))


def test_nothing_is_left_of_a_write_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", fail)
    place = Place(f"file://{tmp_path}", "log")
    with pytest.raises(StoreUnavailable, match="No space left"):
        place.write(name(0, 1), "note\n")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_address_that_is_none_is_a_bad_setting() -> None:
    with pytest.raises(BadSetting, match="RUNLEDGER_SEALS_URL"):
        open_place("nonsense://x", "log")
