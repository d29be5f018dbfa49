"""The place outside of the database where a copy of each seal lies: a folder, a bucket, anything of fsspec.

One new file a seal, `LOG/2026-11-22/20261122T061111.123456Z-4711.note`, and nothing is ever changed or
removed: names are in the order in which seals were made. In a folder a file is there whole or not at all.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import fsspec
from fsspec.implementations.local import LocalFileSystem

from runledger.tracker.blobs import errors_of, flush_folder
from runledger.tracker.envelope import from_micros, to_micros
from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.seal.errors import NoteInvalid
from runledger.tracker.seal.seal import Seal

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_NAME = re.compile(r"(\d{8}T\d{6}\.\d{6})Z-(\d{1,19})\.note")


class Name(NamedTuple):
    """What the name of a file says of the seal in it. `sealed_at` in µs."""

    sealed_at: int
    size: int

    @property
    def moment(self) -> datetime:
        return from_micros(self.sealed_at)

    def __str__(self) -> str:
        return f"{self.moment:%Y-%m-%d/%Y%m%dT%H%M%S.%fZ}-{self.size}.note"


def name_of(seal: Seal) -> Name:
    return Name(to_micros(seal.sealed_at), seal.size)


class Place:
    """Every call raises `StoreUnavailable` where the place cannot be reached, read or written."""

    def __init__(self, url: str, log_id: str, **options: Any) -> None:
        self.url = url
        self._fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False, **options)
        self._root = f"{root}/{log_id}"
        self._is_folder = isinstance(self._fs, LocalFileSystem)
        self._errors = errors_of(self._fs)

    def names(self) -> Iterator[Name]:
        """Of all seals, in the order in which they were made."""
        for day in self._days():
            yield from self._of_day(day)

    def newest(self) -> Name | None:
        """The last that was made."""
        for day in reversed(self._days()):
            if names := self._of_day(day):
                return names[-1]
        return None

    def read(self, name: Name) -> str:
        """Raises `NoteInvalid` for what is no text at all."""
        with self._reaching():
            content: bytes = self._fs.cat_file(f"{self._root}/{name}")
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise NoteInvalid("not a signed note") from None

    def write(self, name: Name, note: str) -> None:
        path = f"{self._root}/{name}"
        with self._reaching():
            if self._is_folder:
                _write_file(Path(path), note.encode())
            else:
                self._fs.pipe_file(path, note.encode())

    def _days(self) -> list[str]:
        return sorted(day for day in self._list(self._root) if _DAY.fullmatch(day))

    def _of_day(self, day: str) -> list[Name]:
        """What bears another name is none of ours."""
        found = [_NAME.fullmatch(name) for name in self._list(f"{self._root}/{day}")]
        return sorted(Name(_read_time(one[1]), int(one[2])) for one in found if one)

    def _list(self, folder: str) -> list[str]:
        with self._reaching():
            try:
                return [
                    str(path).rstrip("/").rpartition("/")[2] for path in self._fs.ls(folder, detail=False)
                ]
            except FileNotFoundError:
                return []

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise StoreUnavailable(self.url, str(error)) from error


def _write_file(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        flush_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _read_time(text: str) -> int:
    return to_micros(datetime.strptime(text, "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC))
