"""Bytes on their way to becoming blobs: files under their digest, written whole or not at all.

A checkpoint's folder becomes one uncompressed tar whose bytes depend on names and contents alone.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from runledger.tracker.errors import BadInput, BlobCorrupt

CHUNK_BYTES = 1 << 20
ENCODING, ERRORS = "utf-8", "surrogateescape"
"""Of names in a tar: whatever bytes a name has, it gets them back."""
UNFINISHED = "."
"""What the name of a copy begins with until it is whole."""
KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


class FileChanged(OSError):
    """A file was written to while it was copied: what was copied is neither its old state nor its new one."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EBUSY, "was changed while it was copied", str(path))


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


class _HashedReader:
    """A reader that digests what passes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


class Staging:
    """The folder of staged files of one attempt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put_file(self, path: Path) -> tuple[str, int]:
        """Stage a copy of a file, of one that is being written what it holds now. Returns digest and size.

        Raises `BadInput` for what is no file, `FileChanged` for one that becomes shorter meanwhile.
        """

        def copy(into: IO[bytes]) -> None:
            with open_file(path) as file:
                left = os.fstat(file.fileno()).st_size
                while left and (chunk := file.read(min(left, CHUNK_BYTES))):
                    into.write(chunk)
                    left -= len(chunk)
                if left:
                    raise FileChanged(path)

        return self._put(copy)

    def put_bytes(self, data: bytes) -> tuple[str, int]:
        return self._put(lambda into: into.write(data))

    def put_folder(self, folder: Path) -> tuple[str, int]:
        """Stage a folder as a tar. Raises as `pack` does."""
        return self._put(lambda into: pack(folder, into))

    def put_alone(self, file: Path) -> tuple[str, int]:
        """Stage a file as a folder with nothing else in it. Raises as `pack` does."""
        return self._put(lambda into: pack_alone(file, into))

    def _put(self, fill: Callable[[IO[bytes]], object]) -> tuple[str, int]:
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=UNFINISHED)
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
    """Write `folder` as a tar: entries by name; no owner, no time, one mode for files and for folders.

    A link stays a link, and has to lead to a place inside. Raises `BadInput` for one that does not and for
    what is neither file, folder nor link, `FileChanged`, and `OSError` for what cannot be read.
    """
    root = folder.resolve(strict=True)
    with _tar(into) as tar:
        for name in sorted(_names(root)):
            _add(tar, root, name)


def pack_alone(file: Path, into: IO[bytes]) -> None:
    """As a folder with nothing else in it. Raises as `pack` does."""
    with _tar(into) as tar:
        _add_file(tar, file.resolve(strict=True), file.name)


def unpack(packed: Path, folder: Path, digest: str | None = None) -> None:
    """The opposite of `pack`; refuses entries that would leave `folder`.

    Raises `tarfile.TarError`, and `BlobCorrupt` where the bytes have not the `digest` given; what was
    unpacked until then is removed.
    """
    folder.mkdir(parents=True)
    try:
        found = _unpack(packed, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if digest not in (None, found):
        shutil.rmtree(folder, ignore_errors=True)
        raise BlobCorrupt(str(digest), found)


def _unpack(packed: Path, folder: Path) -> str:
    """The digest of what was read."""
    with packed.open("rb", buffering=0) as file:
        read = _HashedReader(file)
        with tarfile.open(fileobj=read, mode="r|", encoding=ENCODING, errors=ERRORS) as tar:  # type: ignore[call-overload]
            tar.extractall(folder, filter="data")
        while read.read(CHUNK_BYTES):
            pass
    return read.digest.hexdigest()


def _tar(into: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(
        fileobj=into,
        mode="w|",
        format=tarfile.PAX_FORMAT,
        bufsize=CHUNK_BYTES,
        encoding=ENCODING,
        errors=ERRORS,
    )


def _names(root: Path) -> Iterator[str]:
    """Of all that lies below `root`, relative to it. Follows no link."""
    folders = [""]
    while folders:
        within = folders.pop()
        with os.scandir(root / within) as entries:
            for entry in entries:
                name = f"{within}/{entry.name}" if within else entry.name
                yield name
                if entry.is_dir(follow_symlinks=False):
                    folders.append(name)


def _add(tar: tarfile.TarFile, root: Path, name: str) -> None:
    path = root / name
    kind = path.lstat().st_mode
    entry = tarfile.TarInfo(name)
    if stat.S_ISDIR(kind):
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(entry)
    elif stat.S_ISLNK(kind):
        entry.type, entry.mode, entry.linkname = tarfile.SYMTYPE, 0o777, _target(root, path)
        tar.addfile(entry)
    else:
        _add_file(tar, path, name)


def _add_file(tar: tarfile.TarFile, path: Path, name: str) -> None:
    with open_file(path) as file:
        before = os.fstat(file.fileno())
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = before.st_size, 0o644
        try:
            tar.addfile(entry, file)
        except OSError as problem:  # as tarfile raises it for a file that has become shorter
            _check_same(path, before, os.fstat(file.fileno()), problem)
            raise
        _check_same(path, before, os.fstat(file.fileno()))


def _check_same(
    path: Path, before: os.stat_result, after: os.stat_result, cause: OSError | None = None
) -> None:
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise FileChanged(path) from cause


def _target(root: Path, link: Path) -> str:
    """Where a link leads, relative to its own folder; what is there may be missing."""
    goal = Path(os.path.realpath(link))
    if not goal.is_relative_to(root):
        raise BadInput(repr(str(link)), f"leads out of the folder, to {str(goal)!r}")
    return os.path.relpath(goal, link.parent)


def open_file(path: Path) -> IO[bytes]:
    """An ordinary file to read, or what a link to one leads to. Never waits, as opening a FIFO does.

    Raises `BadInput` for anything else.
    """
    kind = path.stat().st_mode
    if stat.S_ISREG(kind):
        file = open(path, "rb", opener=_at_once)  # noqa: SIM115 — it is the caller's
        if stat.S_ISREG(kind := os.fstat(file.fileno()).st_mode):
            return file
        file.close()
    raise BadInput(repr(str(path)), f"is {KINDS.get(stat.S_IFMT(kind), 'no file')}: only files can be kept")


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def clear_unfinished(staged: Path) -> None:
    """Remove copies that were not finished when whoever made them was killed. Nobody may stage there now."""
    for path in staged.glob(f"{UNFINISHED}*"):
        with contextlib.suppress(OSError):
            path.unlink()


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` last."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
