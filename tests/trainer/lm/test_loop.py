"""A whole training: order at a boundary, stop and resume, and the same bits as if never interrupted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runledger.trainer.lm import lm, spec
from runledger.trainer.lm.errors import Diverged, Overlap, WrongCheckpoint
from runledger.trainer.recipe import Benchmark
from runledger.trainer.standalone import StandaloneContext

SCRIPT = Path(__file__).parent / "one_attempt.py"
CURVES = ("train/loss", "train/grad_norm", "train/learning_rate", "eval/exact_match")


class Trained(msgspec.Struct):
    context: StandaloneContext
    metrics: dict[str, float]


@pytest.fixture(scope="module")
def whole(
    tiny: spec.LmSpec, learned_file: Path, benchmark: Benchmark, tmp_path_factory: pytest.TempPathFactory
) -> Trained:
    context = StandaloneContext(
        tmp_path_factory.mktemp("whole"), datasets={"learned": learned_file}, benchmarks=[benchmark]
    )
    return Trained(context, dict(lm.train(tiny, context)))


def test_every_step_is_logged_once(whole: Trained) -> None:
    for key in CURVES[:3]:
        assert [step for step, _ in whole.context.series(key)] == list(range(1, 9))
    assert [step for step, _ in whole.context.series("eval/exact_match")] == [0, 6, 8]
    assert whole.metrics == {key: whole.context.series(key)[-1][1] for key in CURVES}


def test_checkpoints_follow_the_spec_and_hold_their_loss(whole: Trained) -> None:
    losses = dict(whole.context.series("train/loss"))
    assert [(saved.step, saved.loss) for saved in whole.context.checkpoints] == [
        (0, None),
        *((step, losses[step]) for step in (4, 6, 8)),
    ]


def test_evaluations_come_with_their_predictions(whole: Trained) -> None:
    assert [found.step for found in whole.context.evaluations] == [0, 6, 8]
    for found in whole.context.evaluations:
        assert len(found.predictions.read_bytes().splitlines()) == found.scores[0].count == 10


def test_progress_names_every_phase(whole: Trained) -> None:
    phases = list(dict.fromkeys(phase for phase, _, _ in whole.context.phases))
    assert phases == ["preparing", "compiling", "evaluating", "saving", "training"]
    assert ("training", 8, 8) in whole.context.phases
    assert set(whole.context.fields) == {"backend", "tokenizer"}


def run_apart(
    folder: Path, tiny: spec.LmSpec, learned: Path, benchmark: Benchmark, cache: Path, **more: object
) -> dict[str, list[tuple[int, str]]]:
    """One attempt in a fresh process; the bits of its curves."""
    job = folder.with_suffix(".json")
    job.write_bytes(
        msgspec.json.encode(
            {
                "folder": folder,
                "spec": tiny,
                "dataset": learned,
                "benchmark": benchmark,
                "curves": CURVES,
                **more,
            },
            enc_hook=str,
        )
    )
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(job)],
        env={
            **os.environ,
            "JAX_COMPILATION_CACHE_DIR": str(cache),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[tuple[int, str]]] = json.loads(done.stdout.splitlines()[-1])
    return {key: [(step, bits) for step, bits in points] for key, points in found.items()}


def test_a_resumed_run_has_the_bits_of_an_undisturbed_one(
    whole: Trained, tiny: spec.LmSpec, learned_file: Path, benchmark: Benchmark, tmp_path: Path
) -> None:
    """Stopped at a step where none was due; the second process finds what the first compiled."""
    cache = tmp_path / "cache"
    first = run_apart(tmp_path / "first", tiny, learned_file, benchmark, cache, stop_after=1)
    stopped_at = first["train/loss"][-1][0]
    assert stopped_at % 4 != 0
    compiled = {file.name for file in cache.iterdir()}
    assert any("step" in name for name in compiled)
    checkpoint = tmp_path / "first" / "checkpoints" / str(stopped_at)
    second = run_apart(
        tmp_path / "second", tiny, learned_file, benchmark, cache, checkpoint_folder=checkpoint
    )
    assert {name for name in {file.name for file in cache.iterdir()} - compiled if "step" in name} == set()
    for key in CURVES:
        undisturbed = [(step, value.hex()) for step, value in whole.context.series(key)]
        assert first[key] + second[key] == undisturbed


def test_a_stop_breaks_off_an_evaluation_and_who_goes_on_begins_with_it(
    whole: Trained, tiny: spec.LmSpec, learned_file: Path, benchmark: Benchmark, tmp_path: Path
) -> None:
    materials: dict[str, Any] = {"datasets": {"learned": learned_file}, "benchmarks": [benchmark]}
    first = StandaloneContext(tmp_path / "first", stop_after=6, **materials)
    lm.train(tiny, first)
    assert [step for step, _ in first.series("eval/exact_match")] == [0]
    assert (first.checkpoints[-1].step, first.evaluations[-1].step) == (6, 0)

    second = StandaloneContext(
        tmp_path / "second", saved_step=6, checkpoint_folder=first.checkpoints[-1].folder, **materials
    )
    assert lm.train(tiny, second) == whole.metrics
    assert [found.step for found in second.evaluations] == [6, 8]
    assert [saved.step for saved in second.checkpoints] == [6, 8]
    for key in CURVES:
        assert first.series(key) + second.series(key) == whole.context.series(key)


def test_a_run_resumed_behind_its_last_step_has_nothing_to_do(
    whole: Trained, tiny: spec.LmSpec, learned_file: Path, benchmark: Benchmark, tmp_path: Path
) -> None:
    context = StandaloneContext(
        tmp_path,
        datasets={"learned": learned_file},
        benchmarks=[benchmark],
        checkpoint_folder=whole.context.checkpoints[-1].folder,
    )
    assert lm.train(tiny, context) == whole.metrics
    assert (context.points, context.checkpoints) == ([], [])


def test_a_checkpoint_of_another_model_is_refused(
    whole: Trained, tiny: spec.LmSpec, learned_file: Path, benchmark: Benchmark, tmp_path: Path
) -> None:
    other = msgspec.structs.replace(tiny, model=msgspec.structs.replace(tiny.model, layers=1))
    context = StandaloneContext(
        tmp_path,
        datasets={"learned": learned_file},
        benchmarks=[benchmark],
        checkpoint_folder=whole.context.checkpoints[0].folder,
    )
    with pytest.raises(WrongCheckpoint, match=r"layers=2.* not .*layers=1"):
        lm.train(other, context)


def test_a_benchmark_that_was_learned_is_refused_before_anything_is_written(
    tiny: spec.LmSpec, learned_file: Path, benchmark: Benchmark, tmp_path: Path
) -> None:
    same = msgspec.structs.replace(benchmark, path=learned_file)
    context = StandaloneContext(tmp_path, datasets={"learned": learned_file}, benchmarks=[same])
    with pytest.raises(Overlap, match="64 of 64"):
        lm.train(tiny, context)
    assert (context.points, context.checkpoints) == ([], [])


def test_a_diverging_run_ends_and_leaves_no_checkpoint_of_it(
    tiny: spec.LmSpec, learned_file: Path, tmp_path: Path
) -> None:
    wild = msgspec.structs.replace(
        tiny,
        optimizer=spec.Optimizer(learning_rate=1e38, warmup_steps=0),
        evaluation=spec.Evaluation(),
        checkpointing=spec.Checkpointing(every=1),
    )
    context = StandaloneContext(tmp_path, datasets={"learned": learned_file})
    with pytest.raises(Diverged) as ended:
        lm.train(wild, context)
    assert context.checkpoints[-1].step < ended.value.step == context.points[-1].step
