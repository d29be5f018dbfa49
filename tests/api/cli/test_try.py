"""`runledger try`: a recipe in the foreground, with no server, from its words to its exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from runledger.api.cli import exits
from runledger.api.cli.app import runledger
from runledger.api.cli.try_ import read_asked
from runledger.trainer.trying import __main__ as trying
from tests.system.installation import until

ROOT = Path(__file__).parents[3]
TOY = "tests.trainer.toy_recipe:toy"
ITEMS = "".join(f'{{"id":"{number}","prompt":"{number}?","answer":"{number}"}}\n' for number in range(4))

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RUNLEDGER_")},
        "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
        "RUNLEDGER_RECIPES": TOY,
        "PYTHONUNBUFFERED": "1",
    }

    def start(*words: str) -> subprocess.Popen[str]:
        if (tmp_path / "mine.py").exists():
            environment["RUNLEDGER_RECIPES"] = f"{TOY},mine:recipe"
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "runledger.api.cli", "try", *words],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def finish(process: subprocess.Popen[str], status: int) -> tuple[str, str]:
    out, err = process.communicate(timeout=60)
    assert process.returncode == status, out + err
    return out, err


def curve(folder: Path, attempt: int) -> list[tuple[int, float]]:
    rows = (folder / str(attempt) / "metrics.jsonl").read_text().splitlines()
    return [(row["step"], row["train/x"]) for row in map(json.loads, rows) if "train/x" in row]


def test_a_preset_is_tried_and_told_in_words(start: Start, tmp_path: Path) -> None:
    out, _ = finish(start("toy:short", "--set", "rate=0.2", "--into", "kept"), 0)
    assert "completed at step 10" in out
    assert "checkpoint    step 5" in out
    assert "step 10 x " in out  # what the recipe prints
    assert [step for step, _ in curve(tmp_path / "kept", 1)] == list(range(1, 11))
    assert (tmp_path / "kept/1/checkpoints/10/state.json").exists()


def test_the_summary_is_all_that_a_machine_reads(start: Start, tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text(ITEMS)
    (tmp_path / "launch.json").write_text(
        json.dumps(
            {
                "recipe": "toy",
                "experiment": "has no effect here",
                "preset": "short",
                "spec": {
                    "benchmark": {
                        "name": "items",
                        "dataset": {"file": "items.jsonl"},
                        "scorer": "exact_match",
                    }
                },
            }
        )
    )
    out, err = finish(start("launch.json", "--json", "--into", "kept"), 0)
    told = msgspec.json.decode(out)
    assert (told["outcome"], told["step"], told["recipe"]) == ("completed", 10, "toy")
    assert [found["step"] for found in told["evaluations"]] == [0, 5, 10]
    assert told["evaluations"][-1]["scores"][0]["count"] == 4
    assert Path(tmp_path, told["checkpoints"][-1]).is_dir()
    assert "step 10 x " in err
    (stored,) = (tmp_path / "kept/datasets").glob("*.jsonl")
    assert stored.read_bytes().count(b"\n") == 4


def test_ctrl_c_stops_with_a_checkpoint_and_resume_goes_on(start: Start, tmp_path: Path) -> None:
    held = start("toy:short", "--set", f"gate={tmp_path / 'gate'}", "--set", "gate_at=7", "--into", "kept")
    until((tmp_path / "kept/1/checkpoints/5").exists, 60, "a checkpoint")
    held.send_signal(signal.SIGINT)
    out, err = finish(held, exits.INTERRUPTED)
    assert "stopping at the next step boundary" in err
    assert "go on with: runledger try --resume kept" in out
    (tmp_path / "gate").touch()
    finish(start("--resume", "kept"), 0)
    finish(start("toy:short", "--into", "whole"), 0)
    assert curve(tmp_path / "kept", 1) + curve(tmp_path / "kept", 2) == curve(tmp_path / "whole", 1)
    assert (tmp_path / "kept/2/checkpoints/10/state.json").read_bytes() == (
        tmp_path / "whole/1/checkpoints/10/state.json"
    ).read_bytes()


MINE = """
import os, sys
import msgspec
from runledger import Recipe

os.system("echo loaded below")
print("loaded above")

class Spec(msgspec.Struct, forbid_unknown_fields=True):
    pass

def train(spec, context):
    os.system("echo trained below")
    context.log({{"loss": 0.5}}, step=1)
    context.checkpoint(1, lambda folder: (folder / "state").touch())
    {end}

recipe = Recipe(name="mine", version=1, spec=Spec, train=train)
"""


def test_nothing_that_a_recipe_starts_or_imports_mixes_with_the_summary(start: Start, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE.format(end="return {'loss': 0.25}"))
    out, err = finish(start("mine", "--json"), 0)
    assert msgspec.json.decode(out)["metrics"] == {"loss": 0.25}
    assert all(word in err for word in ("loaded below", "loaded above", "trained below"))


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ("sys.exit(7)", "SystemExit: status 7"),
        (
            "return [0.5]",
            "BadMetrics: what the training returned: metrics are names with their numbers, not a li",
        ),
        ("return {'loss': [1]}", "BadMetrics: what the training returned: loss: not a number but list"),
        ("raise ValueError('half \\ud800')", "ValueError: half \\ud800"),
    ],
)
def test_however_a_training_ends_the_summary_is_told(
    end: str, error: str, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(MINE.format(end=end))
    out, _ = finish(start("mine", "--into", "kept"), exits.RUN_DID_NOT_COMPLETE)
    assert "failed at step 1" in out
    assert error in out
    assert "go on with: runledger try --resume kept" in out


def test_a_failed_training_says_why(start: Start) -> None:
    out, err = finish(
        start("toy", "--set", "fault=error", "--set", "fault_at=3", "--into", "kept"),
        exits.RUN_DID_NOT_COMPLETE,
    )
    assert "failed at step 2" in out
    assert "ValueError: a fault was asked for" in out
    assert "Traceback" in err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("absent",), "no recipe 'absent' is installed; installed: lm, toy"),
        (("toy:long",), "recipe 'toy' has no preset 'long'; its presets: short"),
        (("toy", "--set", "stepz=3"), "$.spec.stepz: unknown key; known here: "),
        (("toy", "--set", 'dataset="d1"'), "$.spec.dataset: a rehearsal knows no registered datasets"),
        (("toy", "--set", "dataset.file=absent.jsonl"), "$.spec.dataset: absent.jsonl: no such file"),
        (
            ("toy", "--set", 'benchmark={"name":"b","dataset":{"file":"items.jsonl"},"scorer":"taste"}'),
            "$.spec.benchmark.scorer: no scorer 'taste' 1 is installed; installed: exact_match 1, numeric 1",
        ),
        (("--resume", "absent"), "absent holds no rehearsal"),
    ],
)
def test_what_does_not_fit_is_named(
    words: tuple[str, ...], problem: str, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "items.jsonl").write_text(ITEMS)
    _, err = finish(start(*words), exits.BAD_USAGE)
    assert problem in err
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["items.jsonl"]


def test_a_folder_that_holds_something_is_left_alone(start: Start, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/mine.txt").write_text("mine")
    _, err = finish(start("toy:short", "--into", "kept"), exits.BAD_USAGE)
    assert "kept is not empty: --into takes a new folder" in err
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["mine.txt"]


def test_a_second_ctrl_c_ends_it_at_once_and_tells_what_there_is(start: Start, tmp_path: Path) -> None:
    stuck = "os.kill(os.getpid(), 2); os.kill(os.getpid(), 2); import threading; threading.Event().wait()"
    (tmp_path / "mine.py").write_text(MINE.format(end=stuck))
    out, err = finish(start("mine", "--into", "kept"), exits.INTERRUPTED)
    assert "Ctrl-C again ends it at once" in err
    assert "interrupted at step 1" in out
    assert "go on with: runledger try --resume kept" in out


def test_a_training_may_change_to_another_folder(start: Start, tmp_path: Path) -> None:
    away = "os.chdir('/'); context.checkpoint(2, lambda folder: (folder / 'state').touch())"
    (tmp_path / "mine.py").write_text(MINE.format(end=away))
    out, _ = finish(start("mine", "--into", "kept"), 0)
    assert "checkpoint  kept/1/checkpoints/2" in out
    assert (tmp_path / "kept/1/checkpoints/2/state").exists()


def test_a_folder_may_be_moved_before_it_is_gone_on_with(start: Start, tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text(ITEMS)
    benchmark = '{"name":"b","dataset":{"file":"items.jsonl"},"scorer":"exact_match"}'
    values = ("--set", f"benchmark={benchmark}", "--set", "fault=error", "--set", "fault_at=7")
    finish(start("toy:short", *values, "--into", "kept"), exits.RUN_DID_NOT_COMPLETE)
    (tmp_path / "kept").rename(tmp_path / "moved")
    out, _ = finish(start("--resume", "moved", "--json"), 0)
    (evaluation,) = msgspec.json.decode(out)["evaluations"]
    assert (evaluation["step"], evaluation["scores"][0]["count"]) == (10, 4)


def test_a_recipe_that_is_gone_cannot_be_gone_on_with(start: Start, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE.format(end="sys.exit(7)"))
    finish(start("mine", "--into", "kept"), exits.RUN_DID_NOT_COMPLETE)
    (tmp_path / "mine.py").unlink()
    _, err = finish(start("--resume", "kept"), exits.BAD_USAGE)
    assert "Error: recipe 'mine' cannot be loaded: ModuleNotFoundError" in err
    assert not (tmp_path / "kept/2").exists()


def test_a_folder_is_for_one_rehearsal(start: Start) -> None:
    finish(start("toy:short", "--into", "kept"), 0)
    _, err = finish(start("toy:short", "--into", "kept"), exits.BAD_USAGE)
    assert "kept holds a rehearsal already: --resume kept goes on with it" in err


@pytest.mark.parametrize("words", [[], ["--resume", "kept", "toy"], ["absent.json"]])
def test_words_that_say_nothing_are_refused(words: list[str]) -> None:
    answer = CliRunner().invoke(runledger, ["try", *words])
    assert answer.exit_code == exits.BAD_USAGE


def test_options_lie_over_what_a_file_says(tmp_path: Path) -> None:
    file = tmp_path / "launch.json"
    file.write_text('{"recipe": "toy", "preset": "short", "spec": {"a": {"b": 1, "c": 2}}}')
    asked = read_asked(str(file), "other", {"a": {"b": 3}})
    assert (asked.recipe, asked.preset, asked.spec) == ("toy", "other", {"a": {"b": 3, "c": 2}})
    assert read_asked("toy:short", None, {}).preset == "short"


def test_exit_statuses_are_those_of_the_command() -> None:
    for name in ("BAD_USAGE", "SETUP_PROBLEM", "INTERRUPTED"):
        assert getattr(trying, name) == getattr(exits, name)
    assert (trying.COMPLETED, trying.DID_NOT_COMPLETE) == (exits.OK, exits.RUN_DID_NOT_COMPLETE)
