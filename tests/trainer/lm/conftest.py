"""A tiny data set, its tokenizer and a tiny model, made once for all tests of the recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from runledger.tracker import datasets, generators
from runledger.tracker.datasets import Item
from runledger.trainer.lm import spec
from runledger.trainer.lm.data import texts_of
from runledger.trainer.lm.tokenizer import Tokenizer, train
from runledger.trainer.recipe import Benchmark


def arithmetic(items: int, split: str) -> list[Item]:
    return list(generators.generate("arithmetic", {"items": items, "split": split}))


def write(items: Sequence[Item], file: Path) -> Path:
    with file.open("wb") as lines:
        datasets.write(items, lines)
    return file


@pytest.fixture(scope="session")
def learned() -> list[Item]:
    return arithmetic(64, "train")


@pytest.fixture(scope="session")
def heldout() -> list[Item]:
    return arithmetic(10, "heldout")


@pytest.fixture(scope="session")
def tokenizer(learned: list[Item]) -> Tokenizer:
    return train(texts_of(learned), spec.Tokenizer(vocabulary=280))


@pytest.fixture(scope="session")
def tiny() -> spec.LmSpec:
    """Eight steps; evaluated at 0, 6 and 8, saved at 4 as well."""
    return spec.LmSpec(
        model=spec.Model(layers=2, width=16, heads=2, key_value_heads=1, hidden=32),
        tokenizer=spec.Tokenizer(vocabulary=280),
        data=spec.Data(dataset="learned", sequence_length=96),
        optimizer=spec.Optimizer(learning_rate=1e-2, warmup_steps=2),
        training=spec.Training(steps=8, batch_size=4),
        evaluation=spec.Evaluation(benchmark="heldout", every=6, batch_size=8, max_new_tokens=12),
        checkpointing=spec.Checkpointing(every=4),
    )


@pytest.fixture(scope="session")
def learned_file(learned: list[Item], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(learned, tmp_path_factory.mktemp("learned") / "items.jsonl")


@pytest.fixture(scope="session")
def benchmark(heldout: list[Item], tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return Benchmark(
        benchmark_id="heldout",
        dataset="heldout",
        path=write(heldout, tmp_path_factory.mktemp("heldout") / "items.jsonl"),
        scorer="exact_match",
        scorer_version=1,
    )
