"""Folders of attempts: who holds them, and which of them nobody needs any more."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from runledger.tracker.ids import RunId
from runledger.trainer import leftovers
from runledger.trainer.attempt.job import Folder
from runledger.trainer.errors import FolderInUse
from runledger.trainer.folders import hold, name_of
from tests.trainer.world import World

NAME = name_of(RunId("5f" * 16), 1)


def test_what_is_raised_while_a_folder_is_held_is_not_taken_for_a_folder_in_use(tmp_path: Path) -> None:
    """`fork` says EAGAIN where a limit of processes is reached."""
    with pytest.raises(BlockingIOError), hold(Folder(tmp_path / NAME)):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")


def test_a_folder_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    folder = Folder(tmp_path / NAME)
    with hold(folder), pytest.raises(FolderInUse), hold(folder):
        raise AssertionError("held twice")


def test_a_folder_that_was_just_made_is_left_to_its_supervisor(sqlite_world: World) -> None:
    services = sqlite_world.services()
    folder = Folder(services.attempts / NAME)
    folder.path.mkdir(parents=True)

    assert leftovers.sweep(services, threading.Event()) == 0
    assert folder.path.exists()

    long_ago = time.time() - 2 * leftovers.BORN_SECONDS
    os.utime(folder.path, (long_ago, long_ago))
    assert leftovers.sweep(services, threading.Event()) == 1
    assert not folder.path.exists()
