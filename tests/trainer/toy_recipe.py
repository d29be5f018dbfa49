"""A recipe light enough for tests: a number walks towards a target, all of it a function of seed and step."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import msgspec

from runledger.tracker.events.base import Score
from runledger.tracker.journal import Points, Reader
from runledger.trainer.recipe import Diverged, Recipe

Dataset = Annotated[str | None, msgspec.Meta(extra_json_schema={"x-runledger": "dataset"})]
BenchmarkId = Annotated[str | None, msgspec.Meta(extra_json_schema={"x-runledger": "benchmark"})]


class ToySpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    steps: int = 20
    seed: int = 0
    rate: float = 0.1
    checkpoint_every: int = 5
    step_seconds: float = 0.0
    dataset: Dataset = None
    benchmark: BenchmarkId = None
    fault: str = ""
    fault_at: int = -1
    fault_attempts: int = 1
    """The fault strikes in so many first attempts."""
    gate: str = ""
    """A file without which no step after `gate_at` is made."""
    gate_at: int = -1
    evaluation_gate: str = ""
    """A file without which no evaluation ends, but for the first; one that is broken off is owed."""


def noise(seed: int, step: int) -> float:
    return int.from_bytes(hashlib.sha256(f"{seed}:{step}".encode()).digest()[:4], "big") / 2**32 - 0.5


def train(spec: ToySpec, context: Any) -> dict[str, float]:
    state = _restore(context) or {"step": 0, "x": 1.0}
    context.progress("training", state["step"], spec.steps)
    if state["step"] == 0 or state.get("owed"):
        _boundary(spec, context, state)
    while state["step"] < spec.steps:
        if context.should_stop():
            _save(context, state)
            return {"x": state["x"]}
        _step(spec, context, state)
        if state["step"] % spec.checkpoint_every == 0 or state["step"] == spec.steps:
            _boundary(spec, context, state)
    return {"x": state["x"]}


def _step(spec: ToySpec, context: Any, state: dict[str, Any]) -> None:
    step = state["step"] + 1
    _misbehave(spec, context, step)
    _wait_for_gate(spec, context, step)
    time.sleep(spec.step_seconds)
    state["x"] -= spec.rate * (state["x"] + noise(spec.seed, step))
    state["step"] = step
    context.log({"train/loss": state["x"] ** 2, "train/x": state["x"]}, step=step)
    context.progress("training", step, spec.steps)
    print(f"step {step} x {state['x']!r}", flush=True)


def _wait_for_gate(spec: ToySpec, context: Any, step: int) -> None:
    if spec.gate and step > spec.gate_at:
        while not Path(spec.gate).exists() and not context.should_stop():
            time.sleep(0.01)


def _misbehave(spec: ToySpec, context: Any, step: int) -> None:
    if step != spec.fault_at or context.attempt > spec.fault_attempts:
        return
    match spec.fault:
        case "error":
            raise ValueError("a fault was asked for")
        case "diverged":
            raise Diverged("the loss is not finite")
        case "memory":
            raise RuntimeError("RESOURCE_EXHAUSTED: out of memory while trying to allocate 1 byte")
        case "kill":
            _wait_until_written(context, step - 1)
            os.kill(os.getpid(), signal.SIGKILL)
        case "child":
            sleeping = subprocess.Popen(["sleep", "300"])
            (context.folder.parent / "sleeping").write_text(str(sleeping.pid))
        case "stubborn":
            _ignore_everything(context)
        case "hang":
            while not context.should_stop():
                time.sleep(0.01)
        case "deaf":
            time.sleep(600)


def _ignore_everything(context: Any) -> None:
    """It, and what it has started, can only be killed."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    code = "import time; print('deaf', flush=True); time.sleep(600)"
    started = subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE)
    assert started.stdout is not None
    started.stdout.readline()
    (context.folder.parent / "sleeping").write_text(str(started.pid))
    time.sleep(600)


def _wait_until_written(context: Any, step: int) -> None:
    """All that was logged stands in the journal."""
    while step not in _steps_written(context.folder.parent / "journal"):
        time.sleep(0.01)


def _steps_written(journal: Path) -> set[int]:
    reader, steps = Reader(journal), {0}
    while entries := reader.read():
        steps |= {entry.record.step for entry in entries if isinstance(entry.record, Points)}
    return steps


def _boundary(spec: ToySpec, context: Any, state: dict[str, Any]) -> None:
    """Evaluate, log, checkpoint: in this order."""
    state.pop("owed", None)
    if spec.benchmark is not None:
        if _is_broken_off(spec, context, state):
            state["owed"] = True
        else:
            _evaluate(spec, context, state)
    _save(context, state)


def _is_broken_off(spec: ToySpec, context: Any, state: dict[str, Any]) -> bool:
    """Told to stop while it evaluates."""
    if not spec.evaluation_gate or state["step"] == 0:
        return False
    context.progress("evaluating")
    while not Path(spec.evaluation_gate).exists():
        if context.should_stop():
            return True
        time.sleep(0.01)
    return False


def _evaluate(spec: ToySpec, context: Any, state: dict[str, Any]) -> None:
    benchmark = context.benchmark(spec.benchmark)
    items = [json.loads(line) for line in benchmark.path.read_text().splitlines()]
    predictions = context.folder / "predictions.jsonl"
    predictions.write_text("".join(json.dumps({"id": item["id"], "x": state["x"]}) + "\n" for item in items))
    score = Score(name="exact_match", value=1.0 - abs(state["x"]), count=len(items))
    context.evaluated(state["step"], spec.benchmark, [score], predictions)
    context.log({"eval/exact_match": score.value}, step=state["step"])


def _save(context: Any, state: dict[str, Any]) -> None:
    def save(folder: Path) -> None:
        (folder / "state.json").write_text(json.dumps(state))

    context.checkpoint(state["step"], save, loss=state["x"] ** 2)


def _restore(context: Any) -> dict[str, Any] | None:
    if context.checkpoint_folder is None:
        return None
    state: dict[str, Any] = json.loads((context.checkpoint_folder / "state.json").read_text())
    return state


toy: Recipe[ToySpec] = Recipe(
    name="toy",
    version=1,
    spec=ToySpec,
    train=train,
    presets={"short": {"spec": {"steps": 10}}},
    devices=("cpu", "gpu", "tpu"),
    description="A number walks towards a target.",
)
