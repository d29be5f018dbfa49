"""Blobs: immutable bytes under the name of their digest, in a folder or in a bucket, through fsspec.

A blob is there whole or not at all: in a folder it is written under a temporary name, flushed to disk
and moved; an object store does as much by itself. Storing the same bytes again costs nothing. Nobody
outside knows where a blob lies.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from runledger.tracker.errors import BadSetting, BlobCorrupt, BlobMissing, StoreUnavailable
from runledger.tracker.ids import Digest

CHUNK_BYTES = 1024 * 1024
PIECE_BYTES = 16 * CHUNK_BYTES
"""What is asked of an object store at a time."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


def digest_of(content: bytes) -> Digest:
    return Digest(hashlib.sha256(content).hexdigest())


def digest_of_file(path: Path) -> Digest:
    with path.open("rb") as file:
        return Digest(hashlib.file_digest(file, "sha256").hexdigest())


def _nothing() -> None:
    """Nobody asks how it comes in."""


class Blobs:
    """A place for blobs: `file:///folder`, a plain path, `s3://bucket/prefix` or any other fsspec URL.

    Raises `BadSetting` for an address that is none, or that needs an extra which is not installed. Every call
    raises `StoreUnavailable` where the place cannot be reached, read or written.
    """

    def __init__(self, url: str, **options: Any) -> None:
        self.url = url
        try:
            self._fs, self._root = fsspec.core.url_to_fs(url, use_listings_cache=False, **options)
        except (ValueError, ImportError) as problem:
            raise BadSetting("RUNLEDGER_BLOBS_URL", f"{url}: {problem}") from problem
        self._is_folder = isinstance(self._fs, LocalFileSystem)
        self._errors = errors_of(self._fs)

    def put_file(self, path: Path) -> tuple[Digest, int]:
        """Store a file's bytes; its digest and size. The file must not change meanwhile."""
        digest = digest_of_file(path)
        if not self.exists(digest):
            with self._reaching():
                if self._is_folder:
                    with path.open("rb") as source:
                        self._write_to_folder(digest, _chunks_of(source))
                else:
                    self._fs.put_file(str(path), self._path(digest))
        return digest, path.stat().st_size

    def put_stream(self, digest: str, chunks: Iterable[bytes]) -> bool:
        """Store bytes as they come, once they are seen to have this digest. Whether they are new here.

        Raises `BlobCorrupt` where they have another digest; then nothing is stored. A blob that is there
        already is not read anew.
        """
        if self.exists(digest):
            return False
        with self._reaching():
            if self._is_folder:
                self._write_to_folder(Digest(digest), chunks)
                return True
            with tempfile.TemporaryDirectory(prefix="runledger-") as folder:
                whole = Path(folder) / digest
                _copy(chunks, whole, Digest(digest))
                self._fs.put_file(str(whole), self._path(digest))
        return True

    def put_bytes(self, content: bytes) -> Digest:
        digest = digest_of(content)
        if not self.exists(digest):
            with self._reaching():
                if self._is_folder:
                    self._write_to_folder(digest, [content])
                else:
                    self._fs.pipe_file(self._path(digest), content)
        return digest

    def open(self, digest: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` up to, not including, `end`, in chunks. Raises `BlobMissing` at once."""
        size = self.size(digest)
        stop = size if end is None else min(end, size)
        return self._chunks(digest, start, stop)

    def read(self, digest: str, start: int = 0, end: int | None = None) -> bytes:
        """The same bytes in one piece."""
        return b"".join(self.open(digest, start, end))

    def fetch(
        self, digest: str, to: Path, *, verify: bool = True, on_chunk: Callable[[], None] = _nothing
    ) -> None:
        """Make `to` a copy of the blob. Raises `BlobMissing`, `BlobCorrupt` and what `on_chunk` raises, which
        is called as it comes in; then `to` is not touched."""
        part = to.with_name(f".{to.name}.{uuid.uuid4().hex}.part")
        hasher = hashlib.sha256()
        try:
            with part.open("wb") as file:
                for chunk in self.open(digest):
                    hasher.update(chunk)
                    file.write(chunk)
                    on_chunk()
            if verify and hasher.hexdigest() != digest:
                raise BlobCorrupt(digest, hasher.hexdigest())
            part.replace(to)
        finally:
            part.unlink(missing_ok=True)

    def exists(self, digest: str) -> bool:
        path = self._path(digest)
        with self._reaching():
            return bool(self._fs.exists(path))

    def size(self, digest: str) -> int:
        with self._reading(digest):
            return int(self._fs.size(self._path(digest)))

    def delete(self, digest: str) -> None:
        """Take the blob away; nothing where there is none."""
        path = self._path(digest)
        with self._reaching():
            if self._fs.exists(path):
                self._fs.rm_file(path)

    def forget_unfinished(self, older_than_seconds: float) -> int:
        """Remove what uploads have left in a folder that were killed on their way; returns how many."""
        if not self._is_folder:
            return 0
        with self._reaching():
            parts = list(self._staging.iterdir()) if self._staging.exists() else []
            left = [part for part in parts if time.time() - _changed_at(part) > older_than_seconds]
            for part in left:
                part.unlink(missing_ok=True)
        return len(left)

    @property
    def _staging(self) -> Path:
        return Path(self._root) / "tmp"

    def _path(self, digest: str) -> str:
        if not _DIGEST.fullmatch(digest):
            raise BlobMissing(digest)
        return f"{self._root}/{digest[:2]}/{digest}"

    def _chunks(self, digest: str, start: int, stop: int) -> Iterator[bytes]:
        if not self._is_folder:
            yield from self._pieces(digest, start, stop)
            return
        with self._reading(digest), self._fs.open(self._path(digest), "rb") as file:
            file.seek(start)
            while start < stop and (chunk := file.read(min(CHUNK_BYTES, stop - start))):
                start += len(chunk)
                yield chunk

    def _pieces(self, digest: str, start: int, stop: int) -> Iterator[bytes]:
        """By requests for just these bytes: a file of fsspec reads tens of megabytes ahead."""
        for at in range(start, stop, PIECE_BYTES):
            with self._reading(digest):
                piece = self._fs.cat_file(self._path(digest), start=at, end=min(at + PIECE_BYTES, stop))
            for offset in range(0, len(piece), CHUNK_BYTES):
                yield piece[offset : offset + CHUNK_BYTES]

    def _write_to_folder(self, digest: Digest, chunks: Iterable[bytes]) -> None:
        path = Path(self._path(digest))
        self._staging.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(exist_ok=True)
        part = self._staging / uuid.uuid4().hex
        try:
            _copy(chunks, part, digest)
            part.replace(path)
            flush_folder(path.parent)
        finally:
            part.unlink(missing_ok=True)

    @contextmanager
    def _reading(self, digest: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise BlobMissing(digest) from None
        except self._errors as error:
            raise StoreUnavailable(self.url, str(error)) from error

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise StoreUnavailable(self.url, str(error)) from error


def _chunks_of(source: BinaryIO) -> Iterator[bytes]:
    while chunk := source.read(CHUNK_BYTES):
        yield chunk


def _copy(chunks: Iterable[bytes], to: Path, digest: Digest) -> None:
    """Write and flush to disk. Raises `BlobCorrupt` for bytes of another digest."""
    hasher = hashlib.sha256()
    with to.open("wb") as file:
        for chunk in chunks:
            hasher.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if hasher.hexdigest() != digest:
        raise BlobCorrupt(digest, hasher.hexdigest())


def _changed_at(part: Path) -> float:
    """Seconds since 1970; of one that has just been moved or removed: for ever young."""
    try:
        return part.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def flush_folder(folder: Path) -> None:
    """The move itself survives a power cut only once the folder is flushed."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def errors_of(fs: Any) -> tuple[type[Exception], ...]:
    """What says that the place cannot be reached: S3's client has a tree of its own."""
    protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
    if "s3" not in protocols:
        return (OSError,)
    return (OSError, importlib.import_module("botocore.exceptions").BotoCoreError)
