"""The recipe learns to read, stops when asked, and goes on bit for bit. No server is needed."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from runledger import Rehearsal

from digits import data, recipe
from digits.scorers import reciprocal_rank
from digits.spec import Spec

SHORT = {"steps": 40, "boundary_every": 20}


@pytest.fixture
def heldout(tmp_path: Path) -> Path:
    file = tmp_path / "heldout.jsonl"
    items = data.as_items(data.read("heldout"))
    file.write_bytes(b"".join(msgspec.json.encode(item) + b"\n" for item in items))
    return file


def rehearse(folder: Path, heldout: Path, **spec: object) -> Rehearsal[Spec]:
    benchmark = {"name": "digits", "dataset": {"file": str(heldout)}, "scorer": "reciprocal_rank"}
    values = {"benchmark": benchmark, **SHORT, **spec}
    return Rehearsal(recipe, folder / "kept", preset="small", spec=values, scorers=[reciprocal_rank])


def test_it_learns_to_read(tmp_path: Path, heldout: Path) -> None:
    context = rehearse(tmp_path, heldout, steps=600, boundary_every=600).train()
    assert context.metrics["eval/accuracy"] > 0.95
    assert context.metrics["eval/reciprocal_rank"] > context.metrics["eval/accuracy"]
    (evaluation,) = context.evaluations
    (score,) = evaluation.scores
    assert (score.name, score.count) == ("reciprocal_rank", 360)
    assert len(json.loads(evaluation.predictions.read_text().splitlines()[0])["prediction"].split()) == 3


def test_a_resumed_training_is_the_undisturbed_one_bit_for_bit(tmp_path: Path, heldout: Path) -> None:
    rehearsal = rehearse(tmp_path, heldout)
    whole = rehearsal.train()
    first = rehearsal.train(stop_after=13)
    second = rehearsal.train(checkpoint_folder=first.checkpoints[-1].folder)
    assert [saved.step for saved in first.checkpoints] == [13]
    assert first.series("train/loss") + second.series("train/loss") == whole.series("train/loss")
    assert second.metrics == whole.metrics
    states = [context.checkpoints[-1].folder / "state.npz" for context in (whole, second)]
    assert states[0].read_bytes() == states[1].read_bytes()


def test_it_leaves_a_picture_and_a_table(tmp_path: Path, heldout: Path) -> None:
    context = rehearse(tmp_path, heldout).train()
    assert context.artifacts["misread.png"].read_bytes().startswith(b"\x89PNG")
    rows = [json.loads(row) for row in context.artifacts["confusion.jsonl"].read_text().splitlines()]
    assert sum(sum(row.values()) - row["digit"] for row in rows) == 360


def test_no_digit_is_in_both_parts_and_items_keep_every_pixel() -> None:
    train, heldout = data.read("train"), data.read("heldout")
    assert (len(train.labels), len(heldout.labels)) == (1437, 360)
    again = data.of_items(data.as_items(heldout))
    assert np.array_equal(again.pixels, heldout.pixels)
    assert np.array_equal(again.labels, heldout.labels)
