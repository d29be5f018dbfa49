"""Datasets over HTTP: made, uploaded line by line, refused with the line's number and nothing stored."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import httpx
import msgspec
import pytest
from litestar.exceptions import InternalServerException

from runledger.api.errors import BadRequest
from runledger.api.writing import uploads
from runledger.tracker.datasets import MAX_LINE_BYTES
from runledger.tracker.errors import BadInput
from tests.api.conftest import TRAIN, Api

UPLOADS = "/api/v1/datasets/uploads"
NDJSON = {"Content-Type": "application/x-ndjson"}


def lines(*items: Any) -> bytes:
    return b"".join(msgspec.json.encode(item) + b"\n" for item in items)


def upload(api: Api, content: bytes | Iterator[bytes], **query: str) -> httpx.Response:
    return api.client.post(
        UPLOADS, params={"format": "text", "name": "mine"} | query, content=content, headers=NDJSON
    )


def blobs_of(api: Api) -> list[Path]:
    return [path for path in Path(api.backend.blobs.url).rglob("*") if path.is_file()]


def test_a_generated_dataset_can_be_found_and_downloaded(api_on_each: Api) -> None:
    made = api_on_each.client.post("/api/v1/datasets", json=TRAIN | {"name": "sums", "description": "Small."})
    assert made.status_code == 201
    dataset = api_on_each.get(f"/datasets/{made.json()['digest']}", after=made.json()["position"])
    assert (dataset["name"], dataset["description"], dataset["items"]) == ("sums", "Small.", 20)
    content = api_on_each.client.get(dataset["links"]["blob"]).content
    assert content.count(b"\n") == 20


def test_the_same_options_are_the_same_dataset(api: Api) -> None:
    first = api.client.post("/api/v1/datasets", json=TRAIN).json()
    second = api.client.post("/api/v1/datasets", json=TRAIN).json()
    assert first == second
    assert len(api.get("/datasets")["items"]) == 1


def test_an_upload_is_registered_with_its_statistics(api_on_each: Api) -> None:
    answer = upload(api_on_each, lines({"id": "a", "text": "one"}, {"text": "three"}), filename="my.jsonl")
    assert answer.status_code == 201, answer.text
    dataset = api_on_each.get(f"/datasets/{answer.json()['digest']}")
    assert dataset["source"] == {"kind": "uploaded", "filename": "my.jsonl"}
    assert (dataset["items"], dataset["statistics"]["text_chars_max"]) == (2, 5)


def test_an_upload_comes_in_chunks_of_any_size(api: Api) -> None:
    content = lines(*({"id": str(number), "text": f"line {number}"} for number in range(50)))
    in_pieces = (content[start : start + 7] for start in range(0, len(content), 7))
    assert upload(api, in_pieces).json()["digest"] == upload(api, content).json()["digest"]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (lines({"text": "good"}) + b"{broken\n" + lines({"text": "good"}), "line 2"),
        (lines({"text": "good"}, {"text": 7}), "line 2"),
        (lines({"text": "good"}, {"txt": "a"}), "line 2"),
        (lines({"id": "a", "text": "x"}, {"text": "y"}, {"id": "a", "text": "z"}), "line 3"),
        (b'{"text": "\xff"}\n', "line 1"),
        (b"", "line 1"),
        (b"\n\n", "line 1"),
        (lines({"text": "good"}) * 1 + b'{"text": "' + b"x" * (MAX_LINE_BYTES + 1) + b'"}', "line 2"),
    ],
    ids=["broken", "type", "unknown key", "repeated id", "not UTF-8", "empty", "blank", "too long"],
)
def test_a_bad_line_is_named_and_nothing_is_stored(api: Api, content: bytes, place: str) -> None:
    answer = upload(api, content)
    assert answer.status_code == 422, answer.text
    assert answer.json()["faults"][0]["place"] == place
    assert api.backend.log.head() == 0
    assert blobs_of(api) == []


def test_an_upload_that_is_too_large_is_refused(api_with: Any) -> None:
    with api_with(max_upload_bytes=1_000) as api:
        answer = upload(api, lines({"text": "x" * 2_000}))
        assert answer.status_code == 413
        assert blobs_of(api) == []


def test_an_upload_may_be_larger_than_other_bodies(api_with: Any) -> None:
    with api_with(max_body_bytes=1_000) as api:
        assert upload(api, lines({"text": "x" * 2_000})).status_code == 201


class Request:
    """One whose body ends as `end` does."""

    def __init__(self, end: Callable[[], Awaitable[object]]) -> None:
        self._end = end

    async def stream(self) -> AsyncIterator[bytes]:
        yield b"some"
        await self._end()


async def broken_off() -> None:
    raise InternalServerException("client disconnected prematurely")


@pytest.mark.parametrize(
    ("end", "words"),
    [(lambda: asyncio.Event().wait(), "no more of the body came"), (broken_off, "broke off")],
)
async def test_an_upload_that_does_not_end_is_given_up(
    end: Callable[[], Awaitable[object]], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "IDLE_SECONDS", 0.05)
    with pytest.raises(BadRequest, match=words):
        [chunk async for chunk in uploads.limited(Request(end), 1_000)]  # type: ignore[arg-type]


def test_a_disk_that_is_full_is_no_fault_of_ours(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("runledger.tracker.datasets.write", full)  # a full disk cannot be had in a test

    assert upload(api, lines({"text": "x"})).status_code == 503
    assert api.client.post("/api/v1/datasets", json=TRAIN).status_code == 503
    assert api.backend.log.head() == 0


def test_an_upload_says_what_it_is(api: Api) -> None:
    assert upload(api, lines({"text": "x"}), format="csv").status_code == 422
    plain = api.client.post(f"{UPLOADS}?format=text&name=x", json={"text": "x"})
    assert plain.status_code == 415


def test_lines_are_found_whatever_the_chunks() -> None:
    content = b"a\nbb\n\nccc"
    for size in range(1, 10):
        chunks = (content[start : start + size] for start in range(0, len(content), size))
        assert list(uploads.lines_of(chunks)) == [b"a", b"bb", b"", b"ccc"]


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    given = 0

    def endless() -> Iterator[bytes]:
        nonlocal given
        while True:
            given += 65_536
            yield b"x" * 65_536

    with pytest.raises(BadInput, match="line 1"):
        list(uploads.lines_of(endless()))
    assert given <= MAX_LINE_BYTES + 2 * 65_536
