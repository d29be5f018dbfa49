"""The training of the `lm` recipe, top to bottom.

At a boundary: step, evaluate, log, checkpoint. The batch is a function of (data, seed, step), so a
resumed run goes on with the very steps that an undisturbed one would have done. Not here: what a
step computes (step.py), how a state is scored (evaluation.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jax
from grain import MapDataset

from runledger.tracker.datasets import Item, read_items
from runledger.trainer.lm import LOSS, checkpoints, step
from runledger.trainer.lm.data import Rows, encode_items, make_rows, order, refuse_overlap, texts_of
from runledger.trainer.lm.evaluation import Examiner, make_examiner
from runledger.trainer.lm.readings import Readings
from runledger.trainer.lm.spec import LmSpec
from runledger.trainer.lm.step import Network, State, Step
from runledger.trainer.lm.tokenizer import Tokenizer
from runledger.trainer.lm.tokenizer import train as train_tokenizer
from runledger.trainer.recipe import Context


def train(spec: LmSpec, context: Context) -> dict[str, float]:
    """The newest value of each metric, at the last step or at the one where it was told to stop."""
    context.progress("preparing")
    items = read_items(context.dataset(spec.data.dataset))
    tokenizer = _tokenizer(spec, context, items)
    batches = _batches(spec, items, tokenizer)
    network = step.make_network(spec.model, tokenizer.size)
    examine = _examiner(spec, context, items, network, tokenizer)
    state, done, latest, is_owed = _begin(spec, context, tokenizer)
    context.environment(backend=jax.default_backend(), tokenizer=tokenizer.digest)

    context.progress("compiling")
    update = _compile(spec, network, state, batches)
    readings = Readings(context, latest)

    if done == 0:
        is_owed = spec.evaluation.before
    if done == 0 or is_owed:
        is_whole = not is_owed or _evaluate(spec, context, examine, state, done, latest)
        _save(spec, context, tokenizer, state, done, latest, is_whole)

    total = spec.training.steps
    saved = done
    readings.restart_clock()
    while done < total and not context.should_stop():
        done += 1
        state, vector = update(state, batches[done - 1])
        readings.add(done, vector)
        context.progress("training", done, total)

        is_owed = examine is not None and _is_due(done, spec.evaluation.every, total)
        if is_owed or _is_due(done, spec.checkpointing.every, total):
            readings.drain()
            is_whole = not is_owed or _evaluate(spec, context, examine, state, done, latest)
            _save(spec, context, tokenizer, state, done, latest, is_whole)
            saved = done
            readings.restart_clock()

    if saved < done:
        readings.drain()
        _save(spec, context, tokenizer, state, done, latest)
    return latest


def _is_due(done: int, every: int, total: int) -> bool:
    return done == total or (every > 0 and done % every == 0)


def _tokenizer(spec: LmSpec, context: Context, items: Sequence[Item]) -> Tokenizer:
    """The checkpoint's, else one trained on the items."""
    if context.checkpoint_folder is not None:
        return checkpoints.load_tokenizer(context.checkpoint_folder)
    return train_tokenizer(texts_of(items), spec.tokenizer)


def _batches(spec: LmSpec, items: Sequence[Item], tokenizer: Tokenizer) -> MapDataset[Rows]:
    rows = make_rows(encode_items(items, tokenizer), spec.data, tokenizer)
    return order(rows, spec.training.batch_size, spec.seed)


def _examiner(
    spec: LmSpec, context: Context, items: Sequence[Item], network: Network, tokenizer: Tokenizer
) -> Examiner | None:
    """None where the spec names no benchmark. Raises `Overlap`."""
    if spec.evaluation.benchmark is None:
        return None
    benchmark = context.benchmark(spec.evaluation.benchmark)
    heldout = benchmark.items()
    refuse_overlap(items, heldout)
    is_by_loss = (benchmark.scorer, benchmark.scorer_version) == (LOSS.name, LOSS.version)
    scorer = None if is_by_loss else context.scorer(benchmark.benchmark_id)
    return make_examiner(scorer, heldout, spec, network, tokenizer)


def _begin(spec: LmSpec, context: Context, tokenizer: Tokenizer) -> tuple[State, int, dict[str, float], bool]:
    """The state to go on from, the steps that it has seen, the newest metrics, and whether the state is
    yet to be evaluated: it was saved when its evaluation was broken off."""
    optimizer = step.make_optimizer(spec.optimizer, spec.training.steps)
    state = step.initial_state(spec.model, tokenizer.size, optimizer, spec.seed)
    folder = context.checkpoint_folder
    if folder is None:
        return state, 0, {}, False
    manifest = checkpoints.load_manifest(folder, spec.model)
    return (
        checkpoints.load_state(folder, state),
        manifest.step,
        dict(manifest.metrics),
        manifest.is_unevaluated,
    )


def _compile(spec: LmSpec, network: Network, state: State, batches: MapDataset[Rows]) -> Step:
    optimizer = step.make_optimizer(spec.optimizer, spec.training.steps)
    schedule = step.make_schedule(spec.optimizer, spec.training.steps)
    return step.compile_step(network, optimizer, schedule, state, batches[0])


class _BrokenOff(Exception):
    """The run is told to stop: an evaluation may take longer than it has time for."""


def _evaluate(
    spec: LmSpec,
    context: Context,
    examine: Examiner | None,
    state: State,
    done: int,
    latest: dict[str, float],
) -> bool:
    """Score the state; what it says joins the metrics of the step. False where it was broken off."""
    benchmark = spec.evaluation.benchmark
    if examine is None or benchmark is None:
        return True

    def tell(items: int, of: int) -> None:
        context.progress("evaluating", items, of)
        if items < of and context.should_stop():
            raise _BrokenOff

    context.progress("evaluating")
    file = context.folder / f"predictions-{done}.jsonl"
    try:
        scores = examine(state.params, file, tell)
    except _BrokenOff:
        return False
    found = {f"eval/{score.name}": score.value for score in scores}
    context.log(found, step=done)
    context.evaluated(done, benchmark, scores, file)
    latest.update(found)
    return True


def _save(
    spec: LmSpec,
    context: Context,
    tokenizer: Tokenizer,
    state: State,
    done: int,
    latest: dict[str, float],
    is_whole: bool = True,
) -> None:
    """`is_whole` says that what was due at the step has been done."""
    manifest = checkpoints.Manifest(
        step=done,
        metrics=latest,
        model=spec.model,
        vocabulary=tokenizer.size,
        is_unevaluated=not is_whole,
    )

    def write(folder: Path) -> None:
        checkpoints.save(folder, state, manifest, tokenizer)

    context.progress("saving")
    context.checkpoint(done, write, loss=latest.get("train/loss"))
