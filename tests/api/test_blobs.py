"""Downloads by digest: whole, by range, and not again where the reader has it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import RangeNotSatisfiable
from api.http.ranges import span_of
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
