"""Which run a script goes on with when it is started again, and from which state."""

from __future__ import annotations

import shutil
import signal
import uuid
from pathlib import Path
from typing import Any

import pytest

import runledger
from runledger.api.tracking import beginning
from runledger.api.tracking.folders import ControlFile, RunFolder, run_folders, write_file
from tests.api.tracking.conftest import Runs
from tests.system.installation import until


def fail(file: Path | None, step: int = 5, **options: Any) -> str:
    """A run that keeps one checkpoint and then breaks down. Its id."""
    with pytest.raises(ZeroDivisionError), runledger.run(**{"experiment": "adding", **options}) as run:
        run.log({"loss": 1.0}, step=step)
        if file is not None:
            run.checkpoint(file, step=step)
        raise ZeroDivisionError
    return run.id


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / "step").write_text("5")
    return folder


def test_a_run_that_broke_down_goes_on_from_its_last_checkpoint(runs: Runs, state: Path) -> None:
    run_id = fail(state)
    with runledger.run("adding", resume=True) as run:
        assert (run.id, run.attempt, run.checkpoint_step) == (run_id, 2, 5)
        assert run.checkpoint_folder is not None
        assert (run.checkpoint_folder / "step").read_text() == "5"
        run.checkpoint(state, step=5)  # at the very step from which it went on, as the tracker allows

    assert not run.checkpoint_folder.exists()
    assert [attempt.read().resume for attempt in runs.attempts()] == [False, True]


def test_a_killed_run_goes_on_though_its_journal_is_torn(runs: Runs, state: Path) -> None:
    script = f"""
with runledger.run("adding") as run:
    run.checkpoint({str(state)!r}, step=5)
    run.log({{"loss": 1.0}}, step=6)
    ready()
"""
    runs.interrupt(script, signal.SIGKILL)
    with runs.attempts()[0].journal.open("ab") as journal:
        journal.write(b"\x99\x00\x00\x00torn")
    with runledger.run("adding", resume=True) as run:
        assert run.checkpoint_step == 5


def test_without_resume_every_start_is_a_run_of_its_own(runs: Runs, state: Path) -> None:
    first = fail(state)
    with runledger.run("adding") as run:
        assert run.id != first
        assert run.checkpoint_folder is None


@pytest.mark.parametrize("outcome", ["completed", "cancelled"])
def test_a_run_that_is_over_is_not_gone_on_with(runs: Runs, outcome: Any) -> None:
    with runledger.run("adding", resume=True) as run:
        run.end(outcome)
    with runledger.run("adding", resume=True) as other:
        assert other.id != run.id
    with pytest.raises(runledger.RunOver, match=outcome):
        runledger.run("adding", id=run.id, resume=True)


def test_the_experiment_the_name_and_the_params_have_to_be_the_same(runs: Runs, state: Path) -> None:
    run_id = fail(state, name="a", params={"rate": 0.1, "seed": 1})
    for other in (
        {"experiment": "else", "name": "a"},
        {"experiment": "adding"},
        {"experiment": "adding", "name": "b"},
        {"experiment": "adding", "name": "a", "params": {"rate": 0.2}},
    ):
        with runledger.run(**other, resume=True) as run:  # type: ignore[arg-type]
            assert run.id != run_id
            assert run.checkpoint_folder is None
    with runledger.run("adding", name="a", params={"rate": 0.1, "new": 1}, resume=True) as run:
        assert run.id == run_id


def test_the_last_of_several_goes_on(runs: Runs, state: Path) -> None:
    fail(state)
    last = fail(state)
    with runledger.run("adding", resume=True) as run:
        assert run.id == last


def test_a_run_is_named_by_the_environment_and_goes_on_under_it(
    runs: Runs, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = uuid.uuid4().hex
    monkeypatch.setenv("RUNLEDGER_RUN_ID", run_id)
    assert fail(state, resume=True) == run_id
    with runledger.run("adding", resume=True) as run:
        assert (run.id, run.checkpoint_step) == (run_id, 5)


def test_a_named_run_may_begin_again_from_nothing_and_that_cuts_off_what_was_saved(
    runs: Runs, state: Path
) -> None:
    run_id = fail(state)
    fail(None, id=run_id)
    with runledger.run("adding", id=run_id, resume=True) as run:
        assert (run.attempt, run.checkpoint_folder) == (3, None)


def test_an_attempt_that_saved_nothing_is_resumed_from_where_it_came(runs: Runs, state: Path) -> None:
    run_id = fail(state)
    fail(None, step=6, resume=True)
    with runledger.run("adding", resume=True) as run:
        assert (run.id, run.attempt, run.checkpoint_step) == (run_id, 3, 5)


def test_a_named_run_keeps_its_experiment_and_its_params(runs: Runs, state: Path) -> None:
    run_id = fail(state, params={"rate": 0.1})
    with pytest.raises(runledger.Misused, match="belongs to experiment 'adding'"):
        runledger.run("else", id=run_id)
    with pytest.raises(runledger.Misused, match=r"param 'rate' was 0\.1 and is 0\.2"):
        runledger.run("adding", id=run_id, params={"rate": 0.2})


def test_params_of_earlier_attempts_hold_for_the_next(runs: Runs) -> None:
    with pytest.raises(ZeroDivisionError), runledger.run("adding") as run:
        run.params(layers=2)
        raise ZeroDivisionError
    run = runledger.run("adding", resume=True)
    with run, pytest.raises(runledger.Misused, match="'layers' is 2 already"):
        run.params(layers=3)


def test_a_run_that_is_trained_is_nobody_elses(runs: Runs, state: Path) -> None:
    process = runs.start(
        """
with runledger.run("adding", id="a" * 32) as run:
    ready()
"""
    )
    try:
        until((runs.folder / "ready").exists, 30, "the script")
        with pytest.raises(runledger.RunBusy, match="another process"):
            runledger.run("adding", id="a" * 32)
        with runledger.run("adding", resume=True) as other:
            assert other.id != "a" * 32
    finally:
        process.kill()
        process.wait(30)
    with runledger.run("adding", id="a" * 32, resume=True) as run:
        assert run.attempt == 2


def test_the_same_run_twice_in_one_process_is_refused(runs: Runs) -> None:
    with runledger.run("adding") as run, pytest.raises(runledger.RunBusy):
        runledger.run("adding", id=run.id)


def test_a_checkpoint_that_is_nowhere_is_an_error_and_leaves_no_attempt(runs: Runs, state: Path) -> None:
    run_id = fail(state)
    shutil.rmtree(runs.attempts()[0].staged)
    with pytest.raises(runledger.CheckpointUnavailable, match="step 5 that cannot be had"):
        runledger.run("adding", resume=True)

    (folder,) = run_folders(runs.journals)
    assert [attempt.number for attempt in folder.attempts()] == [1]
    with runledger.run("adding", id=run_id) as run:
        assert run.checkpoint_folder is None


def test_a_tracker_that_cannot_be_reached_has_no_checkpoint_to_give(
    runs: Runs, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(state)
    shutil.rmtree(runs.attempts()[0].staged)
    monkeypatch.delenv("RUNLEDGER_OFFLINE")
    with pytest.raises(runledger.CheckpointUnavailable, match=r"127\.0\.0\.1:9"):
        runledger.run("adding", resume=True, url="http://127.0.0.1:9")


def test_states_that_killed_attempts_went_on_from_are_cleared_away(runs: Runs, state: Path) -> None:
    fail(state)
    runs.run('runledger.run("adding", resume=True); os._exit(1)')
    assert runs.attempts()[1].checkpoint.exists()
    with runledger.run("adding", resume=True) as run:
        assert run.attempt == 3
        assert not runs.attempts()[1].checkpoint.exists()


def test_a_run_that_its_courier_removes_meanwhile_is_in_nobodys_way(
    runs: Runs, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[list[RunFolder]] = [[RunFolder(runs.journals / ("0" * 32))]]
    monkeypatch.setattr(
        beginning, "run_folders", lambda journals: found.pop() if found else run_folders(journals)
    )
    run_id = fail(state)
    with runledger.run("adding", resume=True) as run:
        assert run.id == run_id
    assert not found


def test_a_half_made_folder_of_a_run_is_no_run(runs: Runs) -> None:
    RunFolder(runs.journals / ("a" * 32)).path.mkdir(parents=True)
    with runledger.run("adding", resume=True) as run:
        assert run.attempt == 1


@pytest.mark.parametrize("name", ["run.json", "1/attempt.json"])
def test_a_run_that_cannot_be_read_is_named_and_another_goes_on(
    runs: Runs, state: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    good, damaged = fail(state), fail(state)
    (runs.journals / damaged / name).write_bytes(b"\xff{")
    with runledger.run("adding", resume=True) as run:
        assert (run.id, run.checkpoint_step) == (good, 5)
    assert (
        f"the run in {runs.journals / damaged} cannot go on: {runs.journals / damaged / name}" in caplog.text
    )


def test_a_named_run_that_cannot_be_read_costs_its_record_and_not_the_training(
    runs: Runs, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = fail(state)
    file = runs.journals / run_id / "run.json"
    file.write_text("{")
    with runledger.run("adding", id=run_id, resume=True) as run:
        run.log({"loss": 1.0}, step=1)
    assert f"is not recorded: {file}: " in caplog.text
    assert file.read_text() == "{"


def test_a_copy_of_a_checkpoint_that_is_damaged_is_not_gone_on_from(
    runs: Runs, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fail(state)
    (staged,) = [path for path in runs.attempts()[0].staged.iterdir() if path.stat().st_size > 1024]
    content = bytearray(staged.read_bytes())
    content[content.index(b"5", 512)] ^= 1
    staged.write_bytes(content)
    with pytest.raises(runledger.CheckpointUnavailable, match=r"damaged.*and the run is offline"):
        runledger.run("adding", resume=True)
    staged.write_bytes(b"no tar at all")
    with pytest.raises(runledger.CheckpointUnavailable, match=r"damaged.*and the run is offline"):
        runledger.run("adding", resume=True)
    assert [attempt.number for attempt in runs.attempts()] == [1]


def test_copies_that_a_killed_attempt_had_not_finished_are_cleared_away(runs: Runs, state: Path) -> None:
    fail(state)
    unfinished = runs.attempts()[0].staged / ".half"
    unfinished.write_bytes(b"0" * 1000)
    with runledger.run("adding", resume=True) as run:
        assert run.checkpoint_step == 5
    assert not unfinished.exists()


class TestNewOnThisMachine:
    """A run that was named may have begun on another."""

    def test_says_that_it_begins_from_nothing_and_what_becomes_of_it(
        self,
        runs: Runs,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.delenv("RUNLEDGER_OFFLINE")
        monkeypatch.setattr("runledger.api.tracking.run._start_courier", lambda *_: None)
        with runledger.run("adding", id="a" * 32, resume=True, url="http://127.0.0.1:9") as run:
            assert run.checkpoint_folder is None
        assert "begins from nothing, as this machine does not know it" in capsys.readouterr().err
        (warned,) = [each.message for each in caplog.records if each.name == "runledger"]
        assert f"run {'a' * 32} begins from nothing" in warned
        assert "http://127.0.0.1:9" in warned
        assert "the run's next attempt" in warned
        assert runs.attempts()[0].read().is_unasked

    def test_offline_it_is_no_warning(
        self, runs: Runs, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        with runledger.run("adding", id="a" * 32, resume=True):
            pass
        assert "whether the tracker does is not known (the run is offline)" in capsys.readouterr().err
        assert not caplog.records
        assert runs.attempts()[0].read().is_unasked

    def test_one_that_is_not_named_by_an_id_is_a_run_of_its_own(
        self, runs: Runs, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with runledger.run("adding", name="x", resume=True):
            pass
        assert "begins, as this machine knows none to go on with" in capsys.readouterr().err
        assert not runs.attempts()[0].read().is_unasked


def test_what_an_attempt_went_on_from_is_written_down(runs: Runs, state: Path) -> None:
    fail(state)
    with runledger.run("adding", resume=True) as run:
        begun = runs.attempts()[-1].read()
    assert begun.resumed_from is not None
    assert begun.resumed_from.step == run.checkpoint_step == 5
    assert (runs.attempts()[0].staged / begun.resumed_from.digest).exists()


def test_what_people_have_to_know_is_said_once(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("runledger.api.tracking.control.LOOK_SECONDS", 0)
    with runledger.run("adding") as run:
        write_file(runs.attempts()[0].control, ControlFile(notice="kept as another run"))
        assert not run.should_stop()
        assert not run.should_stop()
    assert [record.message for record in caplog.records] == ["kept as another run"]
