"""The training, top to bottom. At a boundary: step, evaluate, log, checkpoint."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import optax
from numpy.typing import NDArray
from runledger import Answer, Context, Diverged

from digits import data
from digits.data import CLASSES, SIDE, Examples
from digits.model import Classifier
from digits.spec import Spec


class State(NamedTuple):
    """All that the next step reads, but for its number."""

    params: Any
    optimizer: Any


class Progress(msgspec.Struct):
    """What is saved beside the arrays."""

    step: int = 0
    metrics: dict[str, float] = {}


def train(spec: Spec, context: Context) -> dict[str, float]:
    """The newest value of each metric, at the last step or at the one where it was told to stop."""
    context.progress("preparing")
    examples = data.read("train")
    network = Classifier(spec.width, spec.activation, spec.dropout)
    state, progress = begin(spec, network), Progress()
    if context.checkpoint_folder is not None:
        state, progress = load(context.checkpoint_folder, state)

    context.progress("compiling")
    update = jax.jit(partial(step_of, spec, network))
    saved = progress.step
    while progress.step < spec.steps and not context.should_stop():
        progress.step += 1
        batch = data.batch_of(examples, spec.batch_size, spec.seed, progress.step)
        state, loss = update(state, batch, progress.step)
        tell(context, progress, {"train/loss": float(loss)})
        context.progress("training", progress.step, spec.steps)
        if progress.step % spec.boundary_every == 0 or progress.step == spec.steps:
            evaluate(spec, context, network, state, progress)
            save(context, state, progress)
            saved = progress.step

    if saved < progress.step:
        save(context, state, progress)
    return progress.metrics


def begin(spec: Spec, network: Classifier) -> State:
    params = network.init(jax.random.key(spec.seed), jnp.zeros((1, SIDE * SIDE)))
    return State(params, optimizer_of(spec).init(params))


def optimizer_of(spec: Spec) -> Any:
    return optax.adamw(optax.cosine_decay_schedule(spec.learning_rate, spec.steps))


def step_of(
    spec: Spec, network: Classifier, state: State, batch: Examples, step: int
) -> tuple[State, jax.Array]:
    """One update, and the loss before it. The key of dropout is a function of seed and step."""
    key = jax.random.fold_in(jax.random.key(spec.seed), step)

    def loss_of(params: Any) -> jax.Array:
        logits: Any = network.apply(params, batch.pixels, is_training=True, rngs={"dropout": key})
        losses: jax.Array = optax.softmax_cross_entropy_with_integer_labels(logits, batch.labels)
        return losses.mean()

    loss, gradient = jax.value_and_grad(loss_of)(state.params)
    changes, optimizer = optimizer_of(spec).update(gradient, state.optimizer, state.params)
    return State(optax.apply_updates(state.params, changes), optimizer), loss


def tell(context: Context, progress: Progress, metrics: dict[str, float]) -> None:
    """Log the metrics of this step. A training that has left the finite numbers ends here."""
    progress.metrics |= metrics
    context.log(metrics, step=progress.step)
    if not all(math.isfinite(value) for value in metrics.values()):
        raise Diverged(f"step {progress.step}: {metrics}")


def evaluate(spec: Spec, context: Context, network: Classifier, state: State, progress: Progress) -> None:
    """The benchmark's scorer on a ranking of the digits; accuracy, and what was misread."""
    if spec.benchmark is None:
        return
    context.progress("evaluating")
    items = context.benchmark(spec.benchmark).items()
    heldout = data.of_items(items)
    logits = np.asarray(network.apply(state.params, jnp.asarray(heldout.pixels)))
    rankings = np.argsort(-logits, axis=-1)
    answers = [
        Answer(item_id=item.id, expected=str(label), prediction=" ".join(map(str, ranking[:3])))
        for item, label, ranking in zip(items, heldout.labels, rankings, strict=True)
    ]
    scores = context.evaluate(progress.step, spec.benchmark, answers)
    accuracy = float(np.mean(rankings[:, 0] == heldout.labels))
    tell(
        context, progress, {"eval/accuracy": accuracy} | {f"eval/{each.name}": each.value for each in scores}
    )
    if progress.step == spec.steps:
        show(context, heldout, rankings[:, 0])


def show(context: Context, heldout: Examples, read: NDArray[np.int64]) -> None:
    """A picture of the digits that were misread, side by side, and a table of what is read as what."""
    misread = np.flatnonzero(read != heldout.labels)
    pictures = heldout.pixels[misread if len(misread) else np.arange(1)].reshape(-1, SIDE, SIDE)
    context.image("misread.png", np.kron(np.concatenate(pictures, axis=1), np.ones((8, 8))))
    counts = np.zeros((CLASSES, CLASSES), int)
    np.add.at(counts, (heldout.labels, read), 1)
    context.table(
        "confusion.jsonl",
        [
            {"digit": digit} | {f"read_as_{other}": row[other] for other in range(CLASSES)}
            for digit, row in enumerate(counts)
        ],
    )


def save(context: Context, state: State, progress: Progress) -> None:
    """The arrays bit for bit, in the order of the tree's leaves."""

    def write(folder: Path) -> None:
        arrays = [np.asarray(leaf) for leaf in jax.tree.leaves(state)]
        np.savez(folder / "state.npz", *arrays)
        (folder / "progress.json").write_bytes(msgspec.json.encode(progress))

    context.checkpoint(progress.step, write, loss=progress.metrics.get("train/loss"))


def load(folder: Path, like: State) -> tuple[State, Progress]:
    """What `save` wrote; `like` gives the tree its form."""
    with np.load(folder / "state.npz") as arrays:
        leaves = [jnp.asarray(arrays[f"arr_{index}"]) for index in range(len(arrays.files))]
    state: State = jax.tree.unflatten(jax.tree.structure(like), leaves)
    return state, msgspec.json.decode((folder / "progress.json").read_bytes(), type=Progress)
