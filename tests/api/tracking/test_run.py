"""A run of one's own, in this process and without a tracker: what it writes, refuses and survives."""

from __future__ import annotations

import logging
import math
import os
import sys
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest

import runledger
from runledger.api.tracking import control, open_attempt
from runledger.api.tracking.folders import ControlFile, write_file
from runledger.tracker.errors import BadSetting, JournalBroken
from runledger.tracker.journal import Artifact, Checkpoint, Environment, Mark, Opened, Params, Points
from tests.api.tracking.conftest import Runs


def test_what_is_logged_is_written_in_order_with_its_times(runs: Runs) -> None:
    with runledger.run("adding", name="first", params={"rate": 0.1}, tags={"team": "nlp"}) as run:
        run.log({"loss": 0.5, "nan": math.nan}, step=1, time=5)
        run.log({"loss": np.float32(0.25), "last": np.array([2.0])}, step=np.int64(2), time=6)  # type: ignore[arg-type]

    opened, *rest = runs.records()
    assert opened == Opened(run_id=run.id, attempt=1)
    first, second = [each for each in rest if isinstance(each, Points)]
    assert (first.step, first.time, first.values["loss"]) == (1, 5, 0.5)
    assert math.isnan(first.values["nan"])
    assert (second.step, second.time, second.values) == (2, 6, {"loss": 0.25, "last": 2.0})
    ended = runs.ended()
    assert ended is not None
    assert (ended.outcome, ended.step) == ("completed", 2)
    file = runs.attempts()[0].path.parent / "run.json"
    assert b'"params":{"rate":0.1},"tags":{"team":"nlp"}' in file.read_bytes()


def test_the_environment_is_told_once_with_the_seed_of_the_params(runs: Runs) -> None:
    with runledger.run("adding", params={"seed": 7}) as run:
        for step in range(3):
            run.log({"loss": 0.5}, step=step)

    (found,) = [each for each in runs.records() if isinstance(each, Environment)]
    assert found.seed == 7
    assert found.versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found.time is not None


def test_a_checkpoint_is_staged_and_covers_what_was_logged_before(runs: Runs, tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "deep").mkdir(parents=True)
    (state / "deep" / "weights").write_bytes(b"w" * 1000)
    with runledger.run("adding") as run:
        run.log({"loss": 0.5}, step=10)
        run.checkpoint(state, step=10, loss=0.5)
        run.log({"loss": 0.4}, step=11)

    kinds = [type(each) for each in runs.records() if isinstance(each, (Points, Mark, Checkpoint))]
    assert kinds == [Points, Mark, Checkpoint, Points, Mark]
    (saved,) = [each for each in runs.records() if isinstance(each, Checkpoint)]
    assert (saved.step, saved.loss, saved.mark) == (10, 0.5, 1)
    staged = runs.attempts()[0].staged / saved.digest
    assert staged.stat().st_size == saved.size_bytes
    with tarfile.open(staged) as tar:
        assert tar.getnames() == ["deep", "deep/weights"]


def test_a_single_file_is_a_checkpoint_too(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"weights")
    with pytest.raises(RuntimeError), runledger.run("adding") as run:
        run.checkpoint(tmp_path / "model.pt", step=3)
        raise RuntimeError

    with runledger.run("adding", resume=True) as run:
        assert run.checkpoint_step == 3
        assert run.checkpoint_folder is not None
        assert (run.checkpoint_folder / "model.pt").read_bytes() == b"weights"


def test_a_checkpoint_that_leads_out_of_its_folder_is_misused_and_nothing_of_it_kept(
    runs: Runs, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "passwd").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    with runledger.run("adding") as run:
        with pytest.raises(runledger.Misused, match="leads out of the folder"):
            run.checkpoint(state, step=1)
        with pytest.raises(runledger.Misused, match="is a FIFO"):
            run.checkpoint(tmp_path / "pipe", step=1)
        with pytest.raises(runledger.Misused, match="is a FIFO"):
            run.artifact(tmp_path / "pipe")
        (state / "passwd").unlink()
        run.checkpoint(state, step=1)
    assert [each.step for each in runs.records() if isinstance(each, Checkpoint)] == [1]


def test_artifacts_are_files_and_folders_under_relative_names(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "plots" / "a").mkdir(parents=True)
    (tmp_path / "plots" / "a" / "loss.png").write_bytes(b"png")
    (tmp_path / "notes.txt").write_text("x")
    with runledger.run("adding") as run:
        run.artifact(tmp_path / "notes.txt")
        run.artifact(tmp_path / "notes.txt", "texts/readme.txt")
        run.artifact(tmp_path / "plots")

    found = {each.path: each.media_type for each in runs.records() if isinstance(each, Artifact)}
    assert found == {
        "notes.txt": "text/plain",
        "texts/readme.txt": "text/plain",
        "plots/a/loss.png": "image/png",
    }


def test_params_found_out_later_are_told_once_and_never_change(runs: Runs) -> None:
    with runledger.run("adding", params={"rate": 0.1}) as run:
        run.params(rate=0.1, model={"layers": 2})
        run.params({"model.layers": 2})
        with pytest.raises(runledger.Misused, match=r"'model\.layers' is 2 already"):
            run.params({"model.layers": 3})

    assert [each.params for each in runs.records() if isinstance(each, Params)] == [{"model.layers": 2}]


def test_output_is_written_and_captured_without_being_taken_away(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    with runledger.run("adding", capture_output=True) as run:
        run.write("raw ")
        run.write(b"\xff\n")
        print("printed")
        print("warned", file=sys.stderr)
    print("afterwards")

    assert runs.attempts()[0].output.read_bytes() == b"raw \xff\nprinted\nwarned\n"
    out, err = capsys.readouterr()
    assert out == "printed\nafterwards\n"
    assert "warned" in err


def test_misuse_is_refused_before_anything_of_it_is_written(runs: Runs, tmp_path: Path) -> None:
    with runledger.run("adding") as run:
        with pytest.raises(TypeError, match="'loss' is text"):
            run.log({"good": 1.0, "loss": "0.3"}, step=1)
        with pytest.raises(runledger.Misused, match="'n' is too large"):
            run.log({"good": 1.0, "n": 10**400}, step=1)
        with pytest.raises(runledger.Misused, match="1 to 250 characters"):
            run.log({"good": 1.0, "": 1.0}, step=1)
        with pytest.raises(TypeError, match="step is a whole number"):
            run.log({"good": 1.0}, step=0.5)  # type: ignore[arg-type]
        for no_mapping in ([("good", 1.0)], [], "good"):
            with pytest.raises(TypeError, match="mapping of names to numbers"):
                run.log(no_mapping, step=1)  # type: ignore[arg-type]
        with pytest.raises(FileNotFoundError, match=r"no\.png"):
            run.artifact(tmp_path / "no.png")
        with pytest.raises(runledger.Misused, match="relative path"):
            run.artifact(__file__, "../up.py")
        with pytest.raises(TypeError, match="output is str or bytes"):
            run.write(1)  # type: ignore[arg-type]
        with pytest.raises(runledger.Misused, match="not 'done'"):
            run.end("done")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="message is a str"):
            run.end("failed", message=3)  # type: ignore[arg-type]

    assert not [each for each in runs.records() if isinstance(each, (Points, Artifact))]


@pytest.mark.parametrize(
    "given",
    [{"experiment": ""}, {"experiment": "x" * 251}, {"experiment": "e", "id": "short"},
     {"experiment": "e", "params": {"seed": 2**80}}, {"experiment": "e", "tags": {"": "x"}},
     {"experiment": "e", "url": "localhost:8600"}, {"experiment": "e", "url": "http://host:port"}],
)  # fmt: skip
def test_a_run_that_does_not_fit_is_refused_before_it_begins(runs: Runs, given: dict[str, object]) -> None:
    with pytest.raises(runledger.Misused):
        runledger.run(**given)  # type: ignore[arg-type]
    assert not runs.journals.exists()


def test_steps_of_checkpoints_grow(runs: Runs) -> None:
    with runledger.run("adding") as run:
        run.checkpoint(__file__, step=5)
        for step in (5, 4, -1):
            with pytest.raises(runledger.Misused, match="steps grow"):
                run.checkpoint(__file__, step=step)


def test_many_threads_log_save_and_end(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    run = runledger.run("adding")

    def work(number: int) -> None:
        for step in range(200):
            run.log({f"loss/{number}": step}, step=step)
        run.artifact(tmp_path / "file", f"of/{number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    enders = [threading.Thread(target=run.end) for _ in range(4)]
    for thread in enders:
        thread.start()
    for thread in enders:
        thread.join()

    assert len(runs.points()) == 1600
    assert sum(isinstance(each, Artifact) for each in runs.records()) == 8
    assert sum(type(each).__name__ == "Ended" for each in runs.records()) == 1


def test_what_is_told_after_the_end_is_warned_of_once(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    run = runledger.run("adding")
    run.end()
    run.log({"loss": 1.0}, step=1)
    run.checkpoint(__file__, step=1)
    assert not run.should_stop()
    run.end()

    assert [record.message for record in caplog.records].count(
        f"run {run.id} is over here; what is told it now is not recorded"
    ) == 1
    assert not runs.points()


def test_an_end_with_a_message_that_is_no_text_of_utf8_is_an_end(runs: Runs) -> None:
    runledger.run("adding").end("failed", message="half \ud800")
    ended = runs.ended()
    assert ended is not None
    assert (ended.outcome, ended.message) == ("failed", "half ?")


def test_an_end_that_is_interrupted_is_an_end(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the run would be running for as long as a notebook is open."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    run = runledger.run("adding")
    monkeypatch.setattr(open_attempt.Surroundings, "finish", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run.end()
    ended = runs.ended()
    assert ended is not None
    assert ended.outcome == "completed"


def test_a_stop_that_the_training_was_told_of_is_what_ended_it(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "LOOK_SECONDS", 0.0)
    with runledger.run("adding") as run:
        assert not run.should_stop()
        write_file(runs.attempts()[0].control, ControlFile(stop="pause", state="online"))
        assert run.should_stop()

    ended = runs.ended()
    assert ended is not None
    assert ended.outcome == "stopped"


def test_a_stop_that_nobody_asked_about_did_not_end_it(runs: Runs) -> None:
    with runledger.run("adding"):
        write_file(runs.attempts()[0].control, ControlFile(stop="cancel", state="online"))
    ended = runs.ended()
    assert ended is not None
    assert ended.outcome == "completed"


def test_a_journal_that_breaks_is_warned_of_once_and_the_training_goes_on(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise JournalBroken("journal", "No space left on device")

    with runledger.run("adding") as run:
        run.log({"loss": 1.0}, step=1)
        monkeypatch.setattr(open_attempt.Journal, "points", refuse)
        for step in range(5):
            run.log({"loss": 1.0}, step=step)
            run.checkpoint(__file__, step=step)
    warned = [record.message for record in caplog.records if record.name == "runledger"]
    assert warned == [f"run {run.id} is not recorded any further: journal: No space left on device"]


def test_a_checkpoint_that_does_not_fit_on_the_disk_leaves_the_curve_whole(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with runledger.run("adding") as run:
        monkeypatch.setattr(open_attempt.Staging, "put_alone", refuse)
        for step in range(3):
            run.log({"loss": 1.0}, step=step)
            run.checkpoint(__file__, step=step)

    assert [step for step, _ in runs.points()] == [0, 1, 2]
    warned = [record for record in caplog.records if record.name == "runledger"]
    assert len(warned) == 1
    ended = runs.ended()
    assert ended is not None
    assert ended.outcome == "completed"


def test_what_is_logged_while_the_disk_is_full_is_recorded_once_it_has_room(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    is_full, write = True, os.write

    def refuse(file: int, data: bytes) -> int:
        if is_full and os.path.samestat(os.fstat(file), journal.stat()):
            raise OSError(28, "No space left on device")
        return write(file, data)

    with runledger.run("adding") as run:
        journal = runs.attempts()[-1].journal
        monkeypatch.setattr("os.write", refuse)
        for step in range(3):
            run.log({"loss": 1.0}, step=step)
            run.checkpoint(__file__, step=step)
        assert "No space left on device: what is logged is held in memory" in caplog.text
        assert runs.points() == []
        is_full = False
    assert [step for step, _ in runs.points()] == [0, 1, 2]
    assert [record.step for record in runs.records() if isinstance(record, Checkpoint)] == [0, 1, 2]
    assert runs.ended() is not None


def test_a_folder_that_cannot_be_made_is_warned_of_and_the_training_goes_on(
    runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    runs.journals.write_text("a file in the way")
    with runledger.run("adding") as run:
        run.log({"loss": 1.0}, step=1)
        run.checkpoint(__file__, step=1)
        run.artifact(__file__)
        run.params(rate=1)
        run.write("x")
        assert not run.should_stop()
        assert run.checkpoint_folder is None
        assert len(run.id) == 32
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_it_says_where_the_run_is_and_what_still_waits(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    with runledger.run("adding") as run:
        run.log({"a": 1.0, "b": 2.0}, step=1)
        run.artifact(__file__)
    begins, waits = capsys.readouterr().err.splitlines()
    assert begins.startswith(f"runledger: run {run.id} of adding begins: offline, in ")
    assert waits.startswith(f"runledger: 2 points and 1 files of run {run.id} wait in {runs.journals}")
    assert run.url == f"http://127.0.0.1:8600/api/v1/runs/{run.id}"


def test_it_says_what_the_tracker_has_not_taken(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    with runledger.run("adding") as run:
        refused = runs.attempts()[0].path / "refused.jsonl"
        refused.write_text("{}\n")
    assert f"the tracker did not take all of run {run.id}: see {refused}\n" in capsys.readouterr().err


def test_a_run_in_another_thread_than_the_main_one_installs_no_handler(runs: Runs) -> None:
    before = sys.excepthook, os.getpid()

    def train() -> None:
        with runledger.run("adding") as run:
            run.log({"loss": 1.0}, step=1)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert runs.points() == [(1, {"loss": 1.0})]
    assert (sys.excepthook, os.getpid()) == before


def test_a_setting_that_does_not_fit_is_said_where_the_run_begins(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNLEDGER_CODE_DIFF", "perhaps")
    with pytest.raises(BadSetting, match="RUNLEDGER_CODE_DIFF"):
        runledger.run("adding")


@pytest.mark.parametrize("seconds", ["nan", "-1"])
def test_a_courier_is_not_told_to_try_for_ever(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, seconds: str
) -> None:
    monkeypatch.setenv("RUNLEDGER_FLUSH_SECONDS", seconds)
    with pytest.raises(BadSetting, match="flush_seconds"):
        runledger.run("adding")
