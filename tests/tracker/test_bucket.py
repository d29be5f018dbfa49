"""Blobs in a bucket, where the network and the server are as they are: slow, refusing, gone in the middle."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from runledger.tracker.blobs import PIECE_BYTES, Blobs
from runledger.tracker.errors import BadSetting, BlobMissing, StoreUnavailable
from tests.tracker.bucket import BUSY, FORBIDDEN, Bucket, serving


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Bucket, str]]:
    with serving() as (bucket, address):
        boto3.client(
            "s3",
            endpoint_url=address,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            region_name="us-east-1",
        ).create_bucket(Bucket=Bucket.name)
        yield bucket, address


@pytest.fixture
def bucket(server: tuple[Bucket, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Without faults, and reached as a process reaches it: by its environment alone."""
    bucket, address = server
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    bucket.sent_bytes = 0
    bucket.requests.clear()
    yield bucket
    bucket.fault = lambda method, path: None


@pytest.fixture
def blobs(bucket: Bucket) -> Blobs:
    return opened()


def opened(name: str = Bucket.name) -> Blobs:
    return Blobs(f"s3://{name}/{uuid.uuid4().hex}", skip_instance_cache=True)


def large(tmp_path: Path, size: int) -> Path:
    file = tmp_path / "large"
    file.write_bytes(bytes(range(251)) * (size // 251 + 1))
    return file


def test_a_range_costs_its_own_bytes(blobs: Blobs, bucket: Bucket) -> None:
    digest = blobs.put_bytes(b"0123456789" * 500_000)
    bucket.sent_bytes = 0
    assert blobs.read(digest, 4_000_005, 4_000_010) == b"56789"
    assert bucket.sent_bytes == 5


def test_a_file_of_several_pieces_and_parts_comes_back(blobs: Blobs, bucket: Bucket, tmp_path: Path) -> None:
    file = large(tmp_path, 7 * PIECE_BYTES)
    digest, size = blobs.put_file(file)
    assert any("uploadId" in request for request in bucket.requests)
    assert blobs.size(digest) == size == file.stat().st_size
    blobs.fetch(digest, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == file.read_bytes()
    assert blobs.read(digest, PIECE_BYTES - 2, PIECE_BYTES + 2) == file.read_bytes()[PIECE_BYTES - 2 :][:4]


def test_a_server_that_is_busy_now_and_then_is_asked_again(blobs: Blobs, bucket: Bucket) -> None:
    bucket.fault = lambda method, path: ("503 Slow Down", BUSY) if len(bucket.requests) % 2 else None
    digest = blobs.put_bytes(b"patience")
    assert (blobs.size(digest), blobs.read(digest)) == (8, b"patience")


def test_an_upload_that_breaks_off_leaves_no_blob(blobs: Blobs, bucket: Bucket, tmp_path: Path) -> None:
    file = large(tmp_path, 7 * PIECE_BYTES)
    bucket.fault = lambda method, path: ("403 Forbidden", FORBIDDEN) if "partNumber=2" in path else None
    with pytest.raises(StoreUnavailable):
        blobs.put_file(file)
    bucket.fault = lambda method, path: None
    digest, _ = Blobs(f"file://{tmp_path / 'elsewhere'}").put_file(file)
    assert not blobs.exists(digest)
    with pytest.raises(BlobMissing):
        blobs.open(digest)
    assert blobs.put_file(file)[0] == digest
    assert blobs.exists(digest)


def test_a_bucket_that_refuses_is_named_with_its_words(blobs: Blobs, bucket: Bucket) -> None:
    bucket.fault = lambda method, path: ("403 Forbidden", FORBIDDEN) if method == "PUT" else None
    with pytest.raises(StoreUnavailable, match=r"s3://kept/.*: .*Access Denied"):
        blobs.put_bytes(b"x")


def test_a_bucket_that_is_not_there_is_named(bucket: Bucket) -> None:
    with pytest.raises(StoreUnavailable, match=r"s3://no-such-bucket/.*bucket does not exist"):
        opened("no-such-bucket").put_bytes(b"x")


def test_credentials_that_are_missing_are_asked_for(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(StoreUnavailable, match=r"s3://kept/.*: .*credentials"):
        opened().put_bytes(b"x")


@pytest.mark.parametrize("url", ["nowhere://x", "gs://bucket/x"])
def test_a_place_that_needs_what_is_not_installed_is_a_bad_setting(url: str) -> None:
    with pytest.raises(BadSetting, match=f"RUNLEDGER_BLOBS_URL: {url}: .*"):
        Blobs(url)
