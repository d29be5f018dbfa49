"""Loggers, jax and transformers, each telling a run what it has anyway."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import optax
import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import CallbackHandler, DefaultFlowCallback

import runledger
from runledger.api.tracking import control
from runledger.api.tracking.folders import ControlFile, write_file
from runledger.tracker.journal import Checkpoint, Params, Points
from tests.api.tracking.conftest import Runs


@pytest.fixture
def logger(request: pytest.FixtureRequest) -> Iterator[logging.Logger]:
    logger = logging.getLogger(f"test.{request.node.name}")
    yield logger
    for handler in list(logger.handlers):
        logger.removeHandler(handler)


def test_records_of_a_logger_become_output(runs: Runs, logger: logging.Logger) -> None:
    with runledger.run("logging") as run:
        logger.addHandler(runledger.LogHandler(run, logging.WARNING))
        logger.warning("step %d is slow", 7)
        logger.info("not this one")
        logger.error("failed", exc_info=ValueError("and this"))
    logger.warning("too late, and nobody minds")

    lines = runs.attempts()[0].output.read_text().splitlines()
    assert lines[0].endswith(f"WARNING {logger.name} step 7 is slow")
    assert lines[-1] == "ValueError: and this"
    assert len([line for line in lines if logger.name in line]) == 2


def test_the_warning_of_a_run_does_not_come_back_to_it(runs: Runs) -> None:
    with runledger.run("logging") as run:
        handler = runledger.LogHandler(run)
        logging.getLogger().addHandler(handler)
    try:
        run.log({"loss": 1.0}, step=1)
    finally:
        logging.getLogger().removeHandler(handler)
    assert runs.attempts()[0].output.read_text() == ""


def test_a_jitted_optax_loop_logs_what_it_computes(runs: Runs, tmp_path: Path) -> None:
    optimizer = optax.sgd(0.1)

    with runledger.run("jax") as run:
        log = runledger.jax_callback(run)

        @jax.jit
        def train(weight: jax.Array, steps: jax.Array) -> jax.Array:
            def step(carry: tuple[jax.Array, optax.OptState], number: jax.Array):  # type: ignore[no-untyped-def]
                weight, state = carry
                loss, gradient = jax.value_and_grad(lambda w: (w - 3.0) ** 2)(weight)
                updates, state = optimizer.update(gradient, state)
                log({"loss": loss, "grad_norm": optax.tree.norm(gradient)}, number)
                return (optax.apply_updates(weight, updates), state), None

            (weight, _), _ = jax.lax.scan(step, (weight, optimizer.init(weight)), steps)
            return weight

        train(jnp.float32(0.0), jnp.arange(20))
        run.checkpoint(__file__, step=20)

    records = runs.records()
    saved = next(index for index, each in enumerate(records) if isinstance(each, Checkpoint))
    assert not [each for each in records[saved:] if isinstance(each, Points)], "logged after the checkpoint"
    points = sorted((step, values) for step, values in runs.points())
    assert [step for step, _ in points] == list(range(20))
    weight, expected = jnp.float32(0.0), []
    for _ in range(20):
        expected.append(float((weight - 3.0) ** 2))
        weight = weight - 0.1 * 2 * (weight - 3.0)
    assert [values["loss"] for _, values in points] == pytest.approx(expected, rel=1e-5)


def test_the_device_leaves_out_the_steps_between(runs: Runs) -> None:
    with runledger.run("jax") as run:
        log = runledger.jax_callback(run, every=5, ordered=True)

        @jax.jit
        def train() -> jax.Array:
            def step(number: jax.Array, total: jax.Array) -> jax.Array:
                log({"total": total}, number)
                return total + number

            return jax.lax.fori_loop(0, 11, step, jnp.int32(0))

        train()
    assert runs.points() == [(0, {"total": 0.0}), (5, {"total": 10.0}), (10, {"total": 45.0})]


def test_an_array_is_refused_while_jax_traces(runs: Runs) -> None:
    with runledger.run("jax") as run:
        log = runledger.jax_callback(run)
        with pytest.raises(TypeError, match=r"'loss' is not one number but an array of shape \(3,\)"):
            jax.jit(lambda loss: log({"loss": loss}, 1))(jnp.zeros(3))
        with pytest.raises(runledger.Misused, match="every is at least 1"):
            runledger.jax_callback(run, every=0)


class Trainer:
    """What transformers' trainer does with its callbacks, by its own handler; it needs no torch."""

    def __init__(self, run: runledger.TrackedRun, folder: Path) -> None:
        self.arguments = TrainingArguments(
            output_dir=str(folder), logging_steps=2, save_steps=4, save_strategy="steps", report_to=[]
        )
        self.state = TrainerState(max_steps=10, logging_steps=2, save_steps=4)
        self.control = TrainerControl()
        callbacks = [DefaultFlowCallback(), runledger.TransformersCallback(run)]
        self.handler = CallbackHandler(callbacks, None, None, None, None)
        self.folder = folder

    def train(self) -> None:
        self.control = self.handler.on_train_begin(self.arguments, self.state, self.control)
        while self.state.global_step < self.state.max_steps and not self.control.should_training_stop:
            self.step()
        self.control = self.handler.on_train_end(self.arguments, self.state, self.control)

    def step(self) -> None:
        self.state.global_step += 1
        self.control = self.handler.on_step_end(self.arguments, self.state, self.control)
        if self.control.should_log:
            logs = {"loss": 1.0 / self.state.global_step, "epoch": 0.1, "note": "text"}
            self.state.log_history.append({**logs, "step": self.state.global_step})
            self.control = self.handler.on_log(self.arguments, self.state, self.control, logs)
        if self.control.should_save:
            saved = self.folder / f"checkpoint-{self.state.global_step}"
            saved.mkdir(parents=True)
            (saved / "trainer_state.json").write_text("{}")
            self.control = self.handler.on_save(self.arguments, self.state, self.control)


def test_a_trainer_of_transformers_is_a_run(runs: Runs, tmp_path: Path) -> None:
    with runledger.run("transformers") as run:
        Trainer(run, tmp_path / "out").train()

    assert runs.points() == [(step, {"loss": 1.0 / step, "epoch": 0.1}) for step in (2, 4, 6, 8, 10)]
    saved = [each for each in runs.records() if isinstance(each, Checkpoint)]
    assert [(each.step, each.loss) for each in saved] == [(4, 0.25), (8, 0.125), (10, 0.1)]
    params = {
        key: value
        for each in runs.records()
        if isinstance(each, Params)
        for key, value in each.params.items()
    }
    assert params["save_steps"] == 4
    assert params["learning_rate"] == 5e-05


def test_a_trainer_is_stopped_with_a_checkpoint_when_the_tracker_asks(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "LOOK_SECONDS", 0.0)
    with runledger.run("transformers") as run:
        trainer = Trainer(run, tmp_path / "out")
        trainer.step()
        write_file(runs.attempts()[0].control, ControlFile(stop="pause", state="online"))
        trainer.train()

    assert trainer.state.global_step == 2
    assert [each.step for each in runs.records() if isinstance(each, Checkpoint)] == [2]
    ended = runs.ended()
    assert ended is not None
    assert ended.outcome == "stopped"


def test_only_the_first_process_of_a_trainer_tells(runs: Runs, tmp_path: Path) -> None:
    with runledger.run("transformers") as run:
        trainer = Trainer(run, tmp_path / "out")
        trainer.state.is_world_process_zero = False
        trainer.train()
    assert not [each for each in runs.records() if isinstance(each, (Points, Checkpoint, Params))]


def test_a_trainer_that_goes_on_keeps_the_params_it_has(
    runs: Runs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with runledger.run("transformers", params={"learning_rate": 0.5}) as run:
        callback = runledger.TransformersCallback(run)
        arguments = TrainingArguments(output_dir=str(tmp_path), report_to=[])
        callback.on_train_begin(arguments, SimpleNamespace(is_world_process_zero=True), TrainerControl())
    assert "keeps the params it has: learning_rate" in caplog.text
