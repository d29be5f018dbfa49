"""Bytes on their way to becoming blobs: files under their digest, written whole or not at all.

A checkpoint's folder becomes one uncompressed tar whose bytes depend on names and contents alone.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

CHUNK_BYTES = 1 << 20


class _Hashed(io.RawIOBase):
    """A writer that digests and counts what passes."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file
        self.digest = hashlib.sha256()
        self.size_bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        self.digest.update(data)
        self.size_bytes += len(data)
        return self._file.write(data)


class Staging:
    """The folder of staged files of one attempt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put_file(self, path: Path) -> tuple[str, int]:
        """Stage a copy of a file. Returns its digest and size."""

        def copy(into: IO[bytes]) -> None:
            with path.open("rb") as file:
                shutil.copyfileobj(file, into, CHUNK_BYTES)

        return self._put(copy)

    def put_bytes(self, data: bytes) -> tuple[str, int]:
        return self._put(lambda into: into.write(data))

    def put_folder(self, folder: Path) -> tuple[str, int]:
        """Stage a folder as a tar."""
        return self._put(lambda into: pack(folder, into))

    def _put(self, fill: Callable[[IO[bytes]], object]) -> tuple[str, int]:
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=".")
        try:
            with os.fdopen(handle, "wb") as file:
                hashed = _Hashed(file)
                fill(hashed)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
            digest = hashed.digest.hexdigest()
            Path(name).rename(self.folder / digest)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_folder(self.folder)
        return digest, hashed.size_bytes


def pack(folder: Path, into: IO[bytes]) -> None:
    """Write `folder` as a tar: entries by name; no owner, no time, one mode for files and for folders."""
    with tarfile.open(fileobj=into, mode="w|", format=tarfile.PAX_FORMAT, bufsize=CHUNK_BYTES) as tar:
        for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            if path.is_dir():
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
            else:
                entry.size, entry.mode = path.stat().st_size, 0o644
                with path.open("rb") as file:
                    tar.addfile(entry, file)


def unpack(packed: Path, folder: Path) -> None:
    """The opposite of `pack`; refuses entries that would leave `folder`."""
    folder.mkdir(parents=True)
    with tarfile.open(packed, mode="r|") as tar:
        tar.extractall(folder, filter="data")


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` last."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
