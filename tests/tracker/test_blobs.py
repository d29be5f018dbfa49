"""Blobs, by one test case that every place passes: a folder, and a bucket of a real S3 server."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runledger.tracker.blobs import CHUNK_BYTES, Blobs, digest_of, digest_of_file
from runledger.tracker.errors import BlobCorrupt, BlobMissing, StoreUnavailable

ABSENT = "0" * 64
BUCKET = "blobs"
CREDENTIALS = {"key": "testing", "secret": "testing"}


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    """A moto server in a thread, with one bucket."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    s3fs = pytest.importorskip("s3fs")
    fs = s3fs.S3FileSystem(endpoint_url=endpoint, **CREDENTIALS, skip_instance_cache=True)
    fs.mkdir(BUCKET)
    yield endpoint
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "folder":
        return Blobs(f"file://{tmp_path / 'blobs'}")
    endpoint: str = request.getfixturevalue("s3_endpoint")
    return Blobs(f"s3://{BUCKET}/{tmp_path.name}", endpoint_url=endpoint, **CREDENTIALS)


def overwrite(blobs: Blobs, digest: str, content: bytes) -> None:
    """What a broken disk or a careless hand does."""
    blobs._fs.pipe_file(blobs._path(digest), content)


def test_bytes_come_back_under_their_digest(blobs: Blobs) -> None:
    digest = blobs.put_bytes(b"hello")
    assert digest == hashlib.sha256(b"hello").hexdigest()
    assert (blobs.exists(digest), blobs.size(digest), blobs.read(digest)) == (True, 5, b"hello")


def test_a_file_of_several_chunks_comes_back(blobs: Blobs, tmp_path: Path) -> None:
    content = bytes(range(256)) * (3 * CHUNK_BYTES // 256) + b"tail"
    file = tmp_path / "file"
    file.write_bytes(content)
    digest, size = blobs.put_file(file)
    assert (digest, size) == (digest_of_file(file), len(content))
    assert [len(chunk) for chunk in blobs.open(digest)] == [CHUNK_BYTES] * 3 + [4]
    assert blobs.read(digest) == content


def test_a_stream_is_stored_once_it_has_its_digest(blobs: Blobs) -> None:
    digest = digest_of(b"hello world")
    assert blobs.put_stream(digest, iter([b"hello ", b"", b"world"]))
    assert blobs.read(digest) == b"hello world"
    assert not blobs.put_stream(digest, iter([b"hello world"]))


def test_a_stream_of_other_bytes_leaves_nothing(blobs: Blobs) -> None:
    digest = digest_of(b"hello")
    with pytest.raises(BlobCorrupt) as refused:
        blobs.put_stream(digest, iter([b"good", b"bye"]))
    assert refused.value.actual == digest_of(b"goodbye")
    assert not blobs.exists(digest)


def test_a_stream_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    blobs = Blobs(f"file://{tmp_path / 'blobs'}")

    def chunks() -> Iterator[bytes]:
        yield b"hel"
        raise ValueError("gone")

    with pytest.raises(ValueError, match="gone"):
        blobs.put_stream(digest_of(b"hello"), chunks())
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


def test_no_bytes_are_bytes_too(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    digest, size = blobs.put_file(tmp_path / "empty")
    assert (size, blobs.size(digest), blobs.read(digest)) == (0, 0, b"")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 3, b"012"), (3, None, b"3456789"), (8, 100, b"89"), (5, 5, b""), (20, 30, b""), (6, 2, b"")],
)
def test_a_range_is_read(blobs: Blobs, start: int, end: int | None, expected: bytes) -> None:
    digest = blobs.put_bytes(b"0123456789")
    assert blobs.read(digest, start, end) == expected


def test_storing_the_same_bytes_again_changes_nothing(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"same")
    assert blobs.put_bytes(b"same") == blobs.put_file(tmp_path / "file")[0]


def test_what_is_not_there_is_missing(blobs: Blobs, tmp_path: Path) -> None:
    assert not blobs.exists(ABSENT)
    for ask in (blobs.size, blobs.open, lambda digest: blobs.fetch(digest, tmp_path / "to")):
        with pytest.raises(BlobMissing):
            ask(ABSENT)
    assert list(tmp_path.glob("*to*")) == []


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63])
def test_what_is_no_digest_names_no_blob(blobs: Blobs, name: str) -> None:
    with pytest.raises(BlobMissing):
        blobs.exists(name)


def test_a_blob_is_taken_away_once_and_for_all(blobs: Blobs) -> None:
    digest = blobs.put_bytes(b"gone")
    blobs.delete(digest)
    blobs.delete(digest)
    assert not blobs.exists(digest)
    assert blobs.put_bytes(b"gone") == digest
    assert blobs.read(digest) == b"gone"


def test_a_fetched_copy_is_verified(blobs: Blobs, tmp_path: Path) -> None:
    digest = blobs.put_bytes(b"precious")
    blobs.fetch(digest, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"precious"


def test_altered_bytes_are_not_fetched(blobs: Blobs, tmp_path: Path) -> None:
    digest = blobs.put_bytes(b"precious")
    overwrite(blobs, digest, b"specious")
    with pytest.raises(BlobCorrupt) as refused:
        blobs.fetch(digest, tmp_path / "copy")
    assert refused.value.actual == digest_of(b"specious")
    assert list(tmp_path.glob("*copy*")) == []
    blobs.fetch(digest, tmp_path / "copy", verify=False)
    assert (tmp_path / "copy").read_bytes() == b"specious"


def test_many_threads_store_the_same_bytes(blobs: Blobs) -> None:
    content = b"x" * 100_000
    threads = [threading.Thread(target=blobs.put_bytes, args=(content,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert blobs.read(digest_of(content)) == content


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    blobs = Blobs(f"file://{tmp_path / 'file' / 'blobs'}")
    with pytest.raises(StoreUnavailable, match="Not a directory"):
        blobs.put_bytes(b"x")


def test_nothing_half_written_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`os.fsync` stands in for the disk that is full: no real one fills up in the middle of a write."""

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    blobs = Blobs(f"file://{tmp_path / 'blobs'}")
    monkeypatch.setattr("runledger.tracker.blobs.os.fsync", full)
    with pytest.raises(StoreUnavailable, match="No space left"):
        blobs.put_bytes(b"x")
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


def test_what_a_killed_upload_has_left_is_removed_once_it_is_old(tmp_path: Path) -> None:
    blobs = Blobs(f"file://{tmp_path}")
    digest = blobs.put_bytes(b"whole")
    old, young = tmp_path / "tmp" / "old", tmp_path / "tmp" / "young"
    for part in (old, young):
        part.write_bytes(b"ha")
    os.utime(old, (0, 0))

    assert blobs.forget_unfinished(older_than_seconds=3600) == 1

    assert (old.exists(), young.exists(), blobs.read(digest)) == (False, True, b"whole")


def test_nothing_is_unfinished_where_nothing_was_begun(blobs: Blobs) -> None:
    assert blobs.forget_unfinished(older_than_seconds=0) == 0


def test_a_server_that_does_not_answer_is_named() -> None:
    options = {"config_kwargs": {"connect_timeout": 1, "retries": {"max_attempts": 0}}}
    blobs = Blobs("s3://blobs", endpoint_url="http://127.0.0.1:1", **CREDENTIALS, **options)
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1"):
        blobs.put_bytes(b"x")
