"""A rehearsal in this process: what recipes are tested with, and what is shown meanwhile."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from runledger.tracker.datasets import Trace, read_items
from runledger.tracker.errors import BadInput
from runledger.trainer.scoring import Scorer
from runledger.trainer.trying.errors import RehearsalRefused
from runledger.trainer.trying.rehearsal import Rehearsal
from runledger.trainer.trying.view import LiveView, how_far, view_on
from tests.trainer.toy_recipe import ToySpec, toy

GENERATED = {"generator": "arithmetic", "options": {"split": "heldout", "items": 5}}
MINE = Scorer(name="mine", version=1, score=lambda expected, found: 0.5)


def rehearse(folder: Path, **spec: object) -> Rehearsal[ToySpec]:
    return Rehearsal(toy, folder, preset="short", spec=spec, scorers=[MINE])


def test_the_spec_is_complete_and_what_it_describes_is_made(tmp_path: Path) -> None:
    rehearsal = rehearse(
        tmp_path, dataset=GENERATED, benchmark={"name": "b", "dataset": GENERATED, "scorer": "mine"}
    )
    assert (rehearsal.spec.steps, rehearsal.spec.rate) == (10, 0.1)
    context = rehearsal.train()
    assert len(read_items(context.dataset(rehearsal.spec.dataset or ""))) == 5
    assert context.scorer(rehearsal.spec.benchmark or "") is MINE
    items = context.benchmark(rehearsal.spec.benchmark or "").items()
    assert all(isinstance(item, Trace) for item in items)


def test_a_stop_and_a_resume_make_the_curve_of_one_training(tmp_path: Path) -> None:
    rehearsal = rehearse(tmp_path)
    whole = rehearsal.train()
    first = rehearsal.train(stop_after=7)
    second = rehearsal.train(checkpoint_folder=first.checkpoints[-1].folder)
    assert first.series("train/x") + second.series("train/x") == whole.series("train/x")
    assert whole.metrics == second.metrics != first.metrics
    assert (whole.attempt, second.attempt) == (1, 3)


def test_a_dataset_of_a_file_has_the_digest_that_its_upload_would_have(tmp_path: Path) -> None:
    generated = rehearse(tmp_path / "1", dataset=GENERATED)
    (file,) = (tmp_path / "1/datasets").iterdir()
    of_file = rehearse(tmp_path / "2", dataset={"file": str(file)})
    assert of_file.spec.dataset == generated.spec.dataset == file.stem


@pytest.mark.parametrize(
    ("dataset", "place"),
    [
        ("a" * 64, "$.spec.dataset"),
        ({"generator": "taste"}, "$.spec.dataset.generator"),
        ({"generator": "arithmetic", "options": {"items": 0}}, "$.spec.dataset.options.items"),
        ({"file": "absent", "more": 1}, "$.spec.dataset"),
    ],
)
def test_what_cannot_be_made_is_named_by_its_place(dataset: object, place: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        rehearse(tmp_path, dataset=dataset)
    assert refused.value.place == place


def test_a_line_that_does_not_fit_is_named(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text('{"prompt": "1+1=", "answer": "2"}\n{"prompt": "1"}\n')
    with pytest.raises(BadInput, match="line 2: Object missing required field `answer`"):
        rehearse(tmp_path, dataset={"file": str(tmp_path / "items.jsonl")})


def test_a_preset_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RehearsalRefused, match="recipe 'toy' has no preset 'long'"):
        Rehearsal(toy, tmp_path, preset="long")


def test_lines_say_each_phase_once(tmp_path: Path) -> None:
    said = io.StringIO()
    view = view_on(said)
    view.progress("preparing", None, None)
    view.metrics({"train/loss": 0.123456})
    for done in range(3):
        view.progress("training", done, 3)
    view.say("a word")
    view.close()
    assert said.getvalue().splitlines() == [
        "preparing",
        "training 0/3              train/loss 0.1235",
        "a word",
    ]


def test_a_terminal_shows_how_far_it_is() -> None:
    said = io.StringIO()
    view = LiveView(Console(file=said, force_terminal=True, width=120, highlight=False))
    view.metrics({"train/loss": 0.5})
    view.progress("training", 3, 3)
    view.say("checkpoint    step 3")
    view.close()
    assert "training 3/3" in said.getvalue()
    assert "train/loss 0.5" in said.getvalue()
    assert "checkpoint    step 3" in said.getvalue()


def test_how_far_it_is_in_words() -> None:
    assert [how_far("saving", None, None), how_far("reading", 3, None)] == ["saving", "reading 3"]
