"""The training whose overhead is measured, in alternating blocks: a hundred scalars a step, or none.

A residual network in JAX on synthetic data. Each step computes its hundred scalars in either kind of
block, packed into one vector as one should; in a block that logs they are brought to the host and
logged one step late, in the other the training only waits for that same vector.

A block is measured once it has settled: until then the journal's thread may still have to write what the
block before has logged, and has not yet to write what this one logs.
"""

from __future__ import annotations

import ctypes
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from runledger.trainer.recipe import Context, Recipe

LAYERS = 33
NAMES = (
    "train/loss",
    *(f"layer_{n:02}/{of}" for n in range(LAYERS) for of in ("gradient", "update", "weight")),
)
BLOCKS = 200
STEPS = 12
SETTLE_SECONDS = 0.25
"""More than the fifth of a second in which what is logged is written."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 32 * 1024**2
"""The most that glibc takes for a threshold."""
Log = Callable[[Mapping[str, float], int], None]


class OverheadSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long to measure, and where."""

    core: int
    """All threads of the process are put on it."""
    report: str
    """The file that takes the `Report`."""
    blocks: int = BLOCKS
    steps: int = STEPS
    """In each block, once it has settled."""
    width: int = 128
    batch_size: int = 64
    accumulate: int = 20
    """Batches in a step, each small enough for a core's own cache; a step takes about 40 ms."""
    seed: int = 0


class Block(NamedTuple):
    """What the steps of one block took, once it had settled."""

    wall: float
    processor: float
    """Of all threads of the process."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The blocks in seconds, pair by pair."""

    steps: int
    """In each block."""
    logged_steps: int
    """Of all blocks, the first ones included, and those in which they settled."""
    none: list[Block]
    logged: list[Block]
    writer_seconds: float
    """Processor time that the thread which writes the journal took for `written_steps`."""
    written_steps: int
    """The logged ones but for those of the first block."""


def train(spec: OverheadSpec, context: Context) -> Mapping[str, float]:
    """Measure within an attempt, through its context."""
    report = measure(spec, lambda values, step: context.log(values, step=step))
    Path(spec.report).write_bytes(msgspec.json.encode(report))
    return {}


def measure(spec: OverheadSpec, log: Log) -> Report:
    """Pairs of one block of each kind; a random half of them begins with the one that logs."""
    pin_process(spec.core)
    keep_arrays()
    blocks = _Blocks(spec, log)
    pairs = spec.blocks // 2
    first = [pair % 2 == 0 for pair in range(pairs)]
    random.Random(spec.seed).shuffle(first)
    for is_logged in (True, False):
        blocks.run(is_logged=is_logged)
    before, steps_before = _writer_seconds(), blocks.logged_steps
    none: list[Block] = []
    logged: list[Block] = []
    for is_logged in first:
        took = {kind: blocks.run(is_logged=kind) for kind in (is_logged, not is_logged)}
        none.append(took[False])
        logged.append(took[True])
    return Report(
        steps=spec.steps,
        logged_steps=blocks.logged_steps,
        none=none,
        logged=logged,
        writer_seconds=_writer_seconds() - before,
        written_steps=blocks.logged_steps - steps_before,
    )


class _Blocks:
    def __init__(self, spec: OverheadSpec, log: Log) -> None:
        self._steps = spec.steps
        self._log = log
        self._step = 0
        self.logged_steps = 0
        self._training = _training(spec)
        self._vector = next(self._training)

    def run(self, *, is_logged: bool) -> Block:
        settled_at = time.perf_counter() + SETTLE_SECONDS
        while time.perf_counter() < settled_at:
            self._run_step(is_logged=is_logged)
        wall, processor = time.perf_counter(), time.process_time()
        for _ in range(self._steps):
            self._run_step(is_logged=is_logged)
        return Block(time.perf_counter() - wall, time.process_time() - processor)

    def _run_step(self, *, is_logged: bool) -> None:
        before, self._vector = self._vector, next(self._training)
        if is_logged:
            self._log(dict(zip(NAMES, np.asarray(before).tolist(), strict=True)), self._step)
            self.logged_steps += 1
        else:
            before.block_until_ready()
        self._step += 1


def _training(spec: OverheadSpec) -> Iterator[Any]:
    """The vector of each step. JAX is imported here: after the process has its core."""
    import jax
    import jax.numpy as jnp
    import optax

    optimizer = optax.adam(1e-3)

    def loss_of(layers: jax.Array, batch: jax.Array) -> jax.Array:
        def block(x: jax.Array, layer: jax.Array) -> tuple[jax.Array, None]:
            return x + jax.nn.gelu(x @ layer) * 0.1, None

        return jnp.mean((jax.lax.scan(block, batch, layers)[0] - jnp.tanh(batch[:, ::-1])) ** 2)

    @jax.jit
    def step(layers: jax.Array, moments: optax.OptState, number: jax.Array) -> tuple[Any, ...]:
        key = jax.random.fold_in(jax.random.key(spec.seed), number)

        def add(total: Any, part: jax.Array) -> tuple[Any, None]:
            batch = jax.random.normal(jax.random.fold_in(key, part), (spec.batch_size, spec.width))
            return jax.tree.map(jnp.add, total, jax.value_and_grad(loss_of)(layers, batch)), None

        none = (jnp.zeros(()), jnp.zeros_like(layers))
        sums, _ = jax.lax.scan(add, none, jnp.arange(spec.accumulate))
        loss, gradients = jax.tree.map(lambda total: total / spec.accumulate, sums)
        updates, moments = optimizer.update(gradients, moments)
        norms = jnp.stack(
            [jnp.linalg.norm(each, axis=(1, 2)) for each in (gradients, updates, layers)], axis=1
        )
        vector = jnp.concatenate([loss[None], norms.reshape(-1)])
        return layers + updates, moments, number + 1, vector

    layers = jax.random.normal(jax.random.key(1), (LAYERS, spec.width, spec.width)) * spec.width**-0.5
    state: tuple[Any, ...] = (layers, optimizer.init(layers), jnp.zeros((), jnp.int32))
    while True:
        *state, vector = step(*state)
        yield vector


def pin_process(core: int) -> None:
    """Every thread of this process, not only the one that asks; later ones follow."""
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def keep_arrays() -> None:
    """The memory of what a step needs stays with the process, as it does once glibc's malloc has learnt.

    It learns from what is freed, and some runs never free what would teach it: the kernel then clears
    that memory at each step, and of equal runs some took three times as long as others.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def _writer_seconds() -> float:
    """Processor time so far of the threads that write journals."""
    clocks = [
        time.pthread_getcpuclockid(thread.ident)
        for thread in threading.enumerate()
        if thread.name == "journal" and thread.ident is not None
    ]
    return sum(map(time.clock_gettime, clocks))


overhead: Recipe[OverheadSpec] = Recipe(
    name="overhead",
    version=1,
    spec=OverheadSpec,
    train=train,
    devices=("cpu",),
    description="Measures what logging costs the training that logs.",
)
