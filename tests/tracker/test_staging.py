"""Files on their way to becoming blobs: whole under their digest, or not there."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runledger.tracker import staging as staging_module
from runledger.tracker.errors import BadInput
from runledger.tracker.staging import FileChanged, Staging, unpack


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    return Staging(tmp_path / "staged")


def test_a_file_lies_under_its_digest(staging: Staging, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    digest, size_bytes = staging.put_file(tmp_path / "file")
    assert digest == hashlib.sha256(b"content").hexdigest()
    assert size_bytes == 7
    assert (staging.folder / digest).read_bytes() == b"content"


def test_the_bytes_of_a_folder_depend_on_names_and_contents_alone(staging: Staging, tmp_path: Path) -> None:
    digests = set()
    for name, order in (("one", "ab"), ("two", "ba")):
        folder = tmp_path / name / "deep"
        folder.mkdir(parents=True)
        for file in order:
            (folder / file).write_text(file)
            os.utime(folder / file, (len(name), len(digests)))
        digests.add(staging.put_folder(tmp_path / name)[0])
    assert len(digests) == 1
    unpack(staging.folder / digests.pop(), tmp_path / "out")
    assert (tmp_path / "out" / "deep" / "a").read_text() == "a"


def test_what_breaks_off_leaves_nothing(staging: Staging, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        staging.put_file(tmp_path / "absent")
    assert list(staging.folder.iterdir()) == []


def packed(staging: Staging, folder: Path, out: Path) -> Path:
    """What becomes of a folder."""
    digest, _ = staging.put_folder(folder)
    unpack(staging.folder / digest, out)
    return out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "state"
    (made / "deep").mkdir(parents=True)
    (made / "weights").write_text("1 2 3")
    (tmp_path / "secret").write_text("of another")
    return made


class TestLinks:
    def test_one_that_leads_inside_stays_a_link(self, staging: Staging, folder: Path, tmp_path: Path) -> None:
        (folder / "deep" / "up").symlink_to("../weights")
        (folder / "last").symlink_to(folder / "deep")
        (folder / "around").symlink_to(f"../{folder.name}/weights")
        out = packed(staging, folder, tmp_path / "out")
        links = {name: (out / name).readlink() for name in ("deep/up", "last", "around")}
        assert links == {"deep/up": Path("../weights"), "last": Path("deep"), "around": Path("weights")}
        assert (out / "last" / "up").read_text() == "1 2 3"

    def test_one_that_leads_nowhere_or_in_circles_is_kept_as_it_is(
        self, staging: Staging, folder: Path, tmp_path: Path
    ) -> None:
        (folder / "gone").symlink_to("nothing")
        (folder / "self").symlink_to("self")
        (folder / "deep" / "loop").symlink_to("..")
        out = packed(staging, folder, tmp_path / "out")
        assert all((out / name).is_symlink() for name in ("gone", "self", "deep/loop"))
        assert (out / "deep" / "loop").resolve() == out.resolve()

    @pytest.mark.parametrize("goal", ["../secret", "/etc/passwd", "../nothing", "deep/../../secret"])
    def test_one_that_leads_out_is_refused(self, staging: Staging, folder: Path, goal: str) -> None:
        (folder / "link").symlink_to(goal)
        with pytest.raises(BadInput, match=r"link'.*leads out of the folder"):
            staging.put_folder(folder)
        assert list(staging.folder.iterdir()) == []

    def test_a_chain_that_leads_out_is_refused(self, staging: Staging, folder: Path) -> None:
        (folder / "first").symlink_to("second")
        (folder / "second").symlink_to("../secret")
        with pytest.raises(BadInput, match="leads out of the folder"):
            staging.put_folder(folder)

    def test_whoever_names_a_link_means_what_it_leads_to(
        self, staging: Staging, folder: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "link").symlink_to(folder)
        assert staging.put_folder(tmp_path / "link") == staging.put_folder(folder)
        (tmp_path / "to weights").symlink_to(folder / "weights")
        digest, _ = staging.put_alone(tmp_path / "to weights")
        unpack(staging.folder / digest, tmp_path / "out")
        assert (tmp_path / "out" / "to weights").read_text() == "1 2 3"
        assert not (tmp_path / "out" / "to weights").is_symlink()


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize(("kind", "make"), [("a FIFO", os.mkfifo), ("a socket", make_socket)])
def test_what_is_no_file_is_refused_and_never_waited_for(
    staging: Staging,
    folder: Path,
    kind: str,
    make: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)  # a socket's path may have 107 characters
    make(Path("odd"))
    for put in (
        lambda: staging.put_folder(folder),
        lambda: staging.put_alone(folder / "odd"),
        lambda: staging.put_file(folder / "odd"),
    ):
        with pytest.raises(BadInput, match=f"odd'.*is {kind}: only files can be kept"):
            put()


def test_a_device_is_refused(staging: Staging) -> None:
    with pytest.raises(BadInput, match="is a device"):
        staging.put_file(Path("/dev/zero"))


def test_a_folder_in_the_place_of_a_file_is_refused(staging: Staging, folder: Path) -> None:
    with pytest.raises(BadInput, match="is a folder"):
        staging.put_file(folder)


@pytest.mark.parametrize("call", ["open", "scandir"])
def test_what_cannot_be_read_is_named_and_not_left_out(
    staging: Staging, folder: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where root runs the tests, whom no mode keeps out."""
    real = getattr(os, call)

    def refuse(path: Any, *rest: Any) -> Any:
        if Path(path).name in ("weights", "deep"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *rest)

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(PermissionError, match=r"weights|deep"):
        staging.put_folder(folder)
    monkeypatch.undo()
    assert list(staging.folder.iterdir()) == []


@pytest.mark.parametrize("after", [b"1 2 3 4 5", b"1 2", b"4 5 6"])
def test_a_checkpoint_that_is_written_to_meanwhile_is_none(
    staging: Staging, folder: Path, after: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    addfile = tarfile.TarFile.addfile

    def add(tar: tarfile.TarFile, entry: tarfile.TarInfo, file: Any = None) -> None:
        if file is not None:
            (folder / "weights").write_bytes(after)
            os.utime(folder / "weights", (1, 1))
        addfile(tar, entry, file)

    monkeypatch.setattr(tarfile.TarFile, "addfile", add)
    with pytest.raises(FileChanged, match=r"was changed while it was copied.*weights"):
        staging.put_folder(folder)
    assert list(staging.folder.iterdir()) == []


def test_of_a_file_that_grows_what_it_held_is_kept(
    staging: Staging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a log to which something is added faster than it can be copied."""
    path = tmp_path / "log"
    path.write_bytes(b"begin")
    with path.open("ab", buffering=0) as log:
        write = staging_module._Hashed.write

        def grow(self: Any, data: bytes) -> int:
            log.write(b"more")
            return write(self, data)

        monkeypatch.setattr(staging_module._Hashed, "write", grow)
        digest, size_bytes = staging.put_file(path)
    assert (staging.folder / digest).read_bytes() == b"begin"
    assert size_bytes == 5


ODD_NAMES = (b"new\nline", b"\xff no utf-8", "日本".encode(), b"C:\\win\\con", b" ", b"-rf", b"~", b"a" * 255)


def test_every_name_that_a_disk_takes_comes_back(staging: Staging, folder: Path, tmp_path: Path) -> None:
    names = sorted(map(os.fsdecode, ODD_NAMES))
    for name in names:
        (folder / "deep" / name).mkdir()
        (folder / "deep" / name / name).write_bytes(os.fsencode(name))
    out = packed(staging, folder, tmp_path / "out") / "deep"
    assert sorted(path.name for path in out.iterdir()) == names
    for name in names:
        assert (out / name / name).read_bytes() == os.fsencode(name)
