"""Files on their way to becoming blobs: whole under their digest, or not there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from runledger.tracker.staging import Staging, unpack


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
