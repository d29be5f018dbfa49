"""Which code a script was: its commit, and a difference that is bounded and holds no secret."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runledger.tracker import environment, revision
from runledger.tracker.errors import BadSetting

HANGS = """#!/bin/sh
case "$*" in
    *" diff "*) echo "diff --git"; sleep 300 & wait;;
    *) echo train.py;;
esac
"""


class Repository:
    """One with a single commit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.script = folder / "train.py"
        self.git("init", "-q")
        self.script.write_text("rate = 0.1\n")
        self.commit()

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.com")
        done = subprocess.run(
            ["git", *who, *words], cwd=self.folder, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout.strip()

    def commit(self) -> None:
        self.git("add", ".")
        self.git("commit", "-q", "-m", "a commit")

    def difference(self) -> str:
        commit, found = environment.code_revision(self.script)
        assert commit == self.git("rev-parse", "HEAD")
        return found.decode()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def test_code_as_it_was_committed_differs_in_nothing(repository: Repository) -> None:
    (repository.folder / "weights.bin").write_bytes(b"what the training writes")
    assert repository.difference() == ""


def test_a_script_that_git_does_not_track_has_no_revision(repository: Repository, tmp_path: Path) -> None:
    (repository.folder / "new.py").write_text("")
    assert environment.code_revision(repository.folder / "new.py") == (None, b"")
    assert environment.code_revision(tmp_path / "elsewhere.py") == (None, b"")


def test_what_was_changed_is_told_without_its_secrets(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "the value of a variable")
    repository.script.write_text("rate = 0.2\nuse('the value of a variable')\npassword = 'hunter2'\n")
    found = repository.difference()
    assert "-rate = 0.1\n+rate = 0.2\n+use('[redacted]')\n+password = '[redacted]'\n" in found


def test_of_much_the_beginning_is_kept_and_what_is_left_out_is_told(repository: Repository) -> None:
    lines = [f"x{number} = {number}\n" for number in range(200_000)]
    repository.script.write_text("".join(lines))
    whole = repository.git("diff", "HEAD") + "\n"
    found = repository.difference()
    assert len(found) < revision.MAX_DIFF_BYTES + 1000
    kept, _, note = found.rpartition("# runledger: ")
    assert whole.startswith(kept)
    assert kept.endswith("\n")
    digest = hashlib.sha256(whole.encode()).hexdigest()
    assert note == f"{len(whole) - len(kept)} of {len(whole)} bytes left out; SHA-256 of all: {digest}\n"


def test_a_line_that_nobody_has_written_is_left_out(repository: Repository) -> None:
    repository.script.write_text(f"a = 1\nb = '{'x' * 1_000_000}'\nc = 3\n")
    found = repository.difference()
    assert re.search(r"\+a = 1\n# runledger: a line of 1000008 bytes left out\n\+c = 3\n", found)


def test_of_code_that_is_not_tracked_the_names_are_listed(repository: Repository) -> None:
    (repository.folder / "deep").mkdir()
    (repository.folder / "deep" / "model.py").write_text("secret")
    (repository.folder / "odd\nname.py").write_text("")
    (repository.folder / "metrics.json").write_text("{}")
    (repository.folder / "ignored.py").write_text("")
    (repository.folder / ".git" / "info" / "exclude").write_text("ignored.py\n")
    assert repository.difference() == (
        "# runledger: untracked: 'deep/model.py'\n# runledger: untracked: 'odd\\nname.py'\n"
    )


def test_a_list_of_untracked_code_is_bounded(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revision, "MAX_UNTRACKED", 2)
    for name in "abc":
        (repository.folder / f"{name}.py").write_text("")
    assert repository.difference().endswith("# runledger: 1 more untracked files left out\n")


def test_nothing_that_a_configuration_names_is_started(repository: Repository, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'started'}\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    for name in ("diff.external", "core.fsmonitor", "core.pager", "diff.mine.textconv"):
        repository.git("config", name, str(program))
    (repository.folder / ".git" / "info" / "attributes").write_text("*.py diff=mine\n")
    repository.script.write_text("rate = 0.2\n")
    assert "+rate = 0.2\n" in repository.difference()
    assert not (tmp_path / "started").exists()


def test_git_that_hangs_is_ended_and_a_difference_that_is_not_known_is_not_called_none(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where what it has started holds on to its output."""
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    git.write_text(
        '#!/bin/sh\ncase "$*" in *" diff "*) echo "diff --git"; sleep 300 & wait;; *) echo train.py;; esac\n'
    )
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(git.parent), prepend=os.pathsep)
    monkeypatch.setattr(revision, "GIT_SECONDS", 0.5)
    began = time.monotonic()
    _, found = environment.code_revision(repository.script)
    assert time.monotonic() - began < 60
    assert found.startswith(b"diff --git\n# runledger: the rest could not be had, git took longer than")


def test_git_that_is_not_there_is_no_problem(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.code_revision(repository.script) == (None, b"")


def test_the_difference_is_kept_back_where_it_is_not_wanted(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.script.write_text("rate = 0.2\n")
    monkeypatch.setenv("RUNLEDGER_CODE_DIFF", "0")
    assert repository.difference() == ""
    monkeypatch.setenv("RUNLEDGER_CODE_DIFF", "perhaps")
    with pytest.raises(BadSetting, match="RUNLEDGER_CODE_DIFF"):
        environment.code_revision(repository.script)


def test_a_forked_child_that_holds_on_to_its_pipe_is_not_waited_for(repository: Repository) -> None:
    """A worker of a data loader lives as long as the training."""
    script = f"""
import os, pathlib, sys, threading, time
from runledger.tracker import environment, revision

enter = revision._Git.__enter__
reading, writing = os.pipe()
children = []

def forked(git):
    enter(git)
    if (child := os.fork()) == 0:
        os.read(reading, 1)
        os._exit(0)
    children.append(child)
    return git

revision._Git.__enter__ = forked
began = time.monotonic()
commit, found = environment.code_revision(pathlib.Path({str(repository.script)!r}))
print(commit, found.decode(), time.monotonic() - began < revision.GIT_SECONDS)
os.write(writing, b"x" * len(children))
for child in children:
    os.waitpid(child, 0)
"""
    repository.script.write_text("rate = 0.2\n")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(repository.git("rev-parse", "HEAD"))
    assert "+rate = 0.2" in done.stdout
    assert done.stdout.endswith("True\n")
