"""Blobs by digest: downloaded whole, by range, and not again where the reader has it; uploaded once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runledger.api.errors import RangeNotSatisfiable
from runledger.api.http.ranges import span_of
from runledger.tracker.blobs import digest_of
from tests.api.conftest import Api

CONTENT = bytes(range(256)) * 10


@pytest.fixture
def path(api: Api) -> str:
    return f"/api/v1/blobs/{api.backend.blobs.put_bytes(CONTENT)}"


def test_a_blob_comes_whole_and_is_never_shown_by_a_browser(api: Api, path: str) -> None:
    answer = api.client.get(path)
    assert answer.content == CONTENT
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=2550-", 2550, 2560),
        ("bytes=-5", 2555, 2560),
        ("bytes=5-99999", 5, 2560),
    ],
)
def test_a_range_brings_those_bytes(api: Api, path: str, asked: str, start: int, end: int) -> None:
    answer = api.client.get(path, headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == CONTENT[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"


def test_a_range_beyond_the_end_is_refused_with_the_size(api: Api, path: str) -> None:
    answer = api.client.get(path, headers={"Range": f"bytes={len(CONTENT)}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(CONTENT)}"


@pytest.mark.parametrize("asked", ["lines=1-2", "bytes=1-2,5-6", "bytes=9-3", "bytes=-", "nonsense"])
def test_a_range_that_cannot_be_read_is_ignored(api: Api, path: str, asked: str) -> None:
    answer = api.client.get(path, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, CONTENT)


def test_a_reader_that_has_it_gets_no_bytes(api: Api, path: str) -> None:
    etag = api.client.get(path).headers["etag"]
    answer = api.client.get(path, headers={"If-None-Match": etag})
    assert (answer.status_code, answer.content) == (304, b"")


def test_head_tells_the_size(api: Api, path: str) -> None:
    answer = api.client.head(path)
    assert answer.status_code == 200
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.content == b""


def test_an_empty_blob_comes_too(api: Api) -> None:
    digest = api.backend.blobs.put_bytes(b"")
    answer = api.client.get(f"/api/v1/blobs/{digest}")
    assert (answer.status_code, answer.content) == (200, b"")


@given(st.from_regex(r"bytes=\d{0,4}-\d{0,4}", fullmatch=True), st.integers(0, 2000))
def test_a_span_always_lies_within(header: str, size: int) -> None:
    try:
        span = span_of(header, size)
    except RangeNotSatisfiable:
        return
    assert 0 <= span.start <= span.end <= size
    assert span.is_partial == (span.status == 206)
    assert span.end > span.start or not span.is_partial


BYTES = {"Content-Type": "application/octet-stream"}


def test_an_uploaded_blob_is_there_and_once(api_on_each: Api) -> None:
    path = f"/api/v1/blobs/{digest_of(CONTENT)}"
    first, again = (api_on_each.client.put(path, content=CONTENT, headers=BYTES) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json() == {"digest": digest_of(CONTENT), "size_bytes": len(CONTENT)}
    assert api_on_each.client.get(path).content == CONTENT


def test_an_upload_may_come_in_pieces_of_any_number(api: Api) -> None:
    content = CONTENT * 1_000
    chunks = (content[at : at + 10_000] for at in range(0, len(content), 10_000))
    answer = api.client.put(f"/api/v1/blobs/{digest_of(content)}", content=chunks, headers=BYTES)
    assert (answer.status_code, answer.json()["size_bytes"]) == (201, len(content))


def test_an_upload_of_other_bytes_is_refused_and_not_kept(api: Api) -> None:
    path = f"/api/v1/blobs/{digest_of(CONTENT)}"
    refused = api.client.put(path, content=b"other", headers=BYTES)
    assert refused.status_code == 422
    assert refused.json()["type"] == "urn:runledger:problem:digest-mismatch"
    assert digest_of(b"other") in refused.json()["detail"]
    assert api.client.get(path).status_code == 404


def test_an_upload_that_is_too_large_is_refused_and_not_kept(api_with: Any) -> None:
    with api_with(max_upload_bytes=100) as api:
        refused = api.client.put(f"/api/v1/blobs/{digest_of(CONTENT)}", content=CONTENT, headers=BYTES)
        assert refused.status_code == 413
        assert not api.backend.blobs.exists(digest_of(CONTENT))


@pytest.mark.parametrize("name", ["latest", "A" * 64, "0" * 63])
def test_an_upload_needs_a_digest_for_its_address(api: Api, name: str) -> None:
    refused = api.client.put(f"/api/v1/blobs/{name}", content=b"x", headers=BYTES)
    assert refused.status_code == 422
    assert refused.json()["faults"][0]["place"] == "path: digest"


def test_a_blob_is_uploaded_as_bytes_and_nothing_else(api: Api) -> None:
    refused = api.client.put(f"/api/v1/blobs/{digest_of(b'{}')}", json={})
    assert refused.status_code == 415
