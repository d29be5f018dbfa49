"""The spare: when it becomes an attempt, when a fresh process does, and that none is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from runledger.tracker.journal import Ended, Environment, Points, Reader, Record
from runledger.trainer import recipes
from runledger.trainer.attempt.job import Folder, Job
from runledger.trainer.child import Child, environment
from runledger.trainer.errors import FolderInUse
from runledger.trainer.folders import hold
from runledger.trainer.spares import Kind, Spares
from tests.trainer.world import ROOT, TOY, toy

SLOW = """
import pathlib, time
from tests.trainer.toy_recipe import ToySpec, train
from runledger.trainer.recipe import Recipe
print("importing", flush=True)
gate = pathlib.Path({gate!r})
while not gate.exists():
    time.sleep(0.01)
slow = Recipe(name="slow", version=1, spec=ToySpec, train=train)
"""
"""A recipe whose import ends once its gate is there."""


class Scene:
    """Spares of a worker, and folders for attempts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = 0.0
        self.spares = Spares(60, clock=lambda: self.now)
        self.environ = environment(
            {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}, cache=folder / "cache"
        )
        self.gate = folder / "gate"
        self._children: list[Child] = []

    def kind(self, reference: str = TOY, digest: str | None = None, **environ: str) -> Kind:
        return Kind(
            reference=reference,
            recipe_digest=toy().digest if digest is None else digest,
            environ={**self.environ, **environ},
        )

    def slow(self) -> Kind:
        (self.folder / "slow_recipe.py").write_text(SLOW.format(gate=str(self.gate)))
        return self.kind("slow_recipe:slow", digest="")

    def start(self, kind: Kind, **values: object) -> tuple[Child, Folder]:
        folder = Folder(self.folder / f"{'5f' * 16}-{len(self._children) + 1}")
        with hold(folder) as lock:
            job = Job(
                run_id="5f" * 16,
                attempt=1,
                reference=kind.reference,
                recipe_digest=kind.recipe_digest,
                values=values,
            )
            folder.write_job(job)
            self._children.append(self.spares.start(kind, folder, lock))
        return self._children[-1], folder

    def make(self, kind: Kind) -> int:
        self.spares.make(kind)
        pid = self.spares.pid
        assert pid is not None
        return pid

    def spare(self) -> int | None:
        """The process that is spare now."""
        return self.spares.pid

    def close(self) -> None:
        self.spares.close()
        for child in self._children:
            child.end()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.close()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def records(child: Child, folder: Folder) -> list[Record]:
    """All of the journal, once the attempt has ended."""
    until(lambda: child.poll() is not None)
    return [entry.record for entry in Reader(folder.journal).read()]


def ended(child: Child, folder: Folder) -> Ended:
    last = records(child, folder)[-1]
    assert isinstance(last, Ended), folder.output.read_text()
    return last


def told(found: list[Record]) -> list[object]:
    """What an attempt tells, but for the time of it and the state of the repository at that time."""
    return [_lasting(each) for each in found if isinstance(each, Points | Ended | Environment)]


def _lasting(record: Record) -> object:
    if isinstance(record, Points):
        return (record.step, record.values)
    if isinstance(record, Environment):
        return msgspec.structs.replace(record, code_revision=None, code_diff_digest=None)
    return record


def test_a_spare_becomes_the_attempt_and_tells_what_a_fresh_process_tells(scene: Scene) -> None:
    pid = scene.make(scene.kind())
    until(lambda: scene.spares.is_ready)

    child, folder = scene.start(scene.kind(), steps=7, seed=3)
    fresh, its_folder = scene.start(scene.kind(), steps=7, seed=3)

    assert (child.pid, scene.spare()) == (pid, None)
    assert told(records(child, folder)) == told(records(fresh, its_folder))
    assert folder.output.read_text() == its_folder.output.read_text()
    assert fresh.pid != pid


def test_one_that_still_imports_is_used_and_shows_what_it_printed(scene: Scene) -> None:
    kind = scene.slow()
    pid = scene.make(kind)

    child, folder = scene.start(kind, steps=2)
    scene.gate.touch()

    assert child.pid == pid
    assert ended(child, folder).outcome == "completed"
    assert folder.output.read_text().startswith("importing\nstep 1 ")


def test_a_stop_while_it_imports_stops_before_the_first_step(scene: Scene) -> None:
    kind = scene.slow()
    scene.make(kind)
    child, folder = scene.start(kind, steps=2)

    child.ask_to_stop()
    scene.gate.touch()

    last = ended(child, folder)
    assert (last.outcome, last.step) == ("stopped", 0)


def test_other_flags_another_recipe_and_other_code_need_a_fresh_process(scene: Scene) -> None:
    pid = scene.make(scene.kind())

    for other in (
        scene.kind(XLA_FLAGS="--xla_cpu_enable_fast_math=true"),
        scene.kind(JAX_PLATFORMS="cpu"),
        scene.kind("tests.trainer.toy_recipe:other"),
        scene.kind(digest="0" * 64),
    ):
        child, _ = scene.start(other, steps=1)
        assert child.pid != pid
        assert scene.spare() == pid

    replaced = scene.make(scene.kind(JAX_PLATFORMS="cpu"))
    assert replaced != pid
    assert not psutil.pid_exists(pid)


def test_one_that_has_loaded_changed_code_is_not_used(scene: Scene) -> None:
    """The code is that of the announcement again when the attempt begins: only the spare has the other."""
    scene.gate.touch()
    scene.slow()
    source = scene.folder / "slow_recipe.py"
    announced = source.read_bytes()
    kind = scene.kind("slow_recipe:slow", digest=digest_of(scene, "slow_recipe:slow"))
    source.write_bytes(announced + b"# changed\n")
    pid = scene.make(kind)
    until(lambda: not scene.spares.is_usable)
    source.write_bytes(announced)

    child, folder = scene.start(kind, steps=1)

    assert child.pid != pid
    assert ended(child, folder).outcome == "completed"


def test_changed_code_that_came_to_light_too_late_fails_the_attempt(scene: Scene) -> None:
    scene.slow()
    source = scene.folder / "slow_recipe.py"
    kind = scene.kind("slow_recipe:slow", digest="0" * 64)
    scene.make(kind)
    child, folder = scene.start(kind, steps=1)
    scene.gate.touch()

    assert ended(child, folder).error_class == "RecipeChanged"
    assert source.exists()


PART = """
from tests.trainer.toy_recipe import ToySpec, toy
from runledger.trainer.recipe import Recipe
import library

def train(spec, context):
    print(library.WORD, flush=True)
    return toy.train(spec, context)

parted = Recipe(name="parted", version=1, spec=ToySpec, train=train)
"""
"""A recipe that imports what is no part of its digest."""


def parted(scene: Scene) -> tuple[Kind, Path]:
    """The recipe, and the file that it imports."""
    (scene.folder / "parted_recipe.py").write_text(PART)
    library = scene.folder / "library.py"
    library.write_text("WORD = 'before'\n")
    reference = "parted_recipe:parted"
    return scene.kind(reference, digest=digest_of(scene, reference)), library


@pytest.mark.parametrize("word", ["afterwards", None], ids=["changed", "gone"])
def test_what_has_changed_since_it_was_imported_is_imported_anew(scene: Scene, word: str | None) -> None:
    kind, library = parted(scene)
    pid = scene.make(kind)
    until(lambda: scene.spares.is_ready)
    library.unlink()
    if word:
        library.write_text(f"WORD = {word!r}\n")

    child, folder = scene.start(kind, steps=1)

    assert child.pid == pid
    last = ended(child, folder)
    assert (last.outcome, last.error_class) == (
        ("completed", "") if word else ("failed", "ModuleNotFoundError")
    )
    assert "before" not in folder.output.read_text()
    assert (word or "No module named 'library'") in folder.output.read_text()


def test_one_that_began_anew_is_stopped_and_ended_as_any_other(scene: Scene) -> None:
    kind, library = parted(scene)
    scene.make(kind)
    until(lambda: scene.spares.is_ready)
    library.write_text("WORD = 'afterwards'\n")
    child, folder = scene.start(kind, steps=100_000, step_seconds=0.01)
    until(lambda: "afterwards" in folder.output.read_text())
    with pytest.raises(FolderInUse), hold(folder):
        pass

    child.ask_to_stop()

    assert ended(child, folder).outcome == "stopped"


def half_installed(scene: Scene) -> Kind:
    kind = scene.slow()
    source = scene.folder / "slow_recipe.py"
    source.write_text(source.read_text() + "raise ImportError('half installed')\n")
    return kind


def test_an_import_that_fails_with_an_attempt_at_hand_is_what_the_attempt_tells(scene: Scene) -> None:
    kind = half_installed(scene)
    pid = scene.make(kind)
    child, folder = scene.start(kind)
    scene.gate.touch()

    last = ended(child, folder)
    assert child.pid == pid
    assert (last.outcome, last.error_class, last.message) == ("failed", "ImportError", "half installed")


def test_an_import_that_fails_as_the_attempt_comes_is_what_the_attempt_tells(scene: Scene) -> None:
    kind = half_installed(scene)
    for _ in range(3):
        scene.gate.unlink(missing_ok=True)
        scene.make(kind)
        scene.gate.touch()
        child, folder = scene.start(kind)
        assert ended(child, folder).message == "half installed"


def test_one_that_could_not_import_is_of_no_use(scene: Scene) -> None:
    kind = half_installed(scene)
    scene.gate.touch()
    pid = scene.make(kind)
    until(lambda: not scene.spares.is_usable)
    scene.spares.look()
    assert scene.spares.pid is None
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


PRINT_DIGEST = """
import sys
from runledger.trainer import recipes
print(recipes.digest_of(recipes.load(sys.argv[1]), sys.argv[1]))
"""


def digest_of(scene: Scene, reference: str) -> str:
    """As a worker would announce it."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", PRINT_DIGEST, reference],
        env=scene.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()[-1]


def test_a_killed_spare_is_not_missed(scene: Scene) -> None:
    pid = scene.make(scene.kind())
    psutil.Process(pid).kill()
    until(lambda: not scene.spares.is_usable)

    child, folder = scene.start(scene.kind(), steps=1)

    assert child.pid != pid
    assert ended(child, folder).outcome == "completed"


def test_a_recipe_that_cannot_be_imported_leaves_no_spare(scene: Scene) -> None:
    kind = scene.kind("tests.trainer.absent:recipe")
    pid = scene.make(kind)
    until(lambda: not scene.spares.is_usable)

    scene.spares.look()

    assert scene.spare() is None
    assert not psutil.pid_exists(pid)
    child, folder = scene.start(kind)
    assert ended(child, folder).error_class == "ModuleNotFoundError"


def test_one_that_nothing_needs_is_let_go(scene: Scene) -> None:
    pid = scene.make(scene.kind())
    scene.now = 59
    scene.make(scene.kind())
    scene.now = 118
    scene.spares.look()
    assert scene.spare() == pid

    scene.now = 120
    scene.spares.look()

    assert scene.spare() is None
    assert not psutil.pid_exists(pid)


def test_there_is_none_where_none_is_wanted_or_the_worker_ends(scene: Scene) -> None:
    none = Spares(0)
    none.make(scene.kind())
    assert none.pid is None

    pid = scene.make(scene.kind())
    scene.spares.close()
    scene.spares.make(scene.kind())

    assert scene.spare() is None
    assert not psutil.pid_exists(pid)


MAKE_A_SPARE = """
import sys, time
from tests.trainer.test_spares import Scene
scene = Scene(__import__("pathlib").Path(sys.argv[1]))
print(scene.make(scene.slow()), flush=True)
time.sleep(600)
"""


def test_who_is_killed_leaves_no_spare_not_even_one_that_imports(scene: Scene) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-P", "-c", MAKE_A_SPARE, str(scene.folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    spare = psutil.Process(int(worker.stdout.readline()))

    worker.kill()
    worker.communicate()

    gone, _ = psutil.wait_procs([spare], timeout=30)
    assert gone == [spare]


def test_one_whose_supervisor_is_gone_before_it_has_heard_it_ends(scene: Scene) -> None:
    """The socket of who dies with something unread ends with an error, not in silence."""
    ours, theirs = socket.socketpair()
    spare = subprocess.Popen(
        [sys.executable, "-P", "-m", "runledger.trainer.attempt.spare", TOY],
        stdin=theirs.fileno(),
        env=scene.environ,
        start_new_session=True,
    )
    theirs.close()
    assert ours.recv(5, socket.MSG_PEEK) == b"ready"

    ours.close()

    assert spare.wait(timeout=30) == -signal.SIGKILL


def test_a_recipe_names_what_is_imported_ahead() -> None:
    assert recipes.load("runledger.trainer.lm:lm").imports == ("runledger.trainer.lm.loop",)
