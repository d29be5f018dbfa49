"""Scoring within an attempt: with the scorer that was announced, told before the checkpoint of its step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from runledger.tracker.journal import Artifact, Environment, Evaluated
from runledger.tracker.journal_writer import Journal
from runledger.trainer import scorers
from runledger.trainer.attempt.context import AttemptContext
from runledger.trainer.attempt.control import Control
from runledger.trainer.attempt.job import BenchmarkFile, Folder, Job
from runledger.trainer.errors import ScorerChanged, ScorerFailed, ScorerNotHere
from runledger.trainer.scorers import exact_match
from runledger.trainer.scoring import Answer

REFERENCE = "runledger.trainer.scorers:exact_match"
DIGEST = scorers.digest_of(exact_match, REFERENCE)
ANSWERS = [Answer(item_id=name, expected="2", prediction=said) for name, said in (("a", "2"), ("b", "3"))]


class Recorded(Journal):
    """A journal that remembers what was appended, and writes it too."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "r1", 1)
        self.records: list[msgspec.Struct] = []

    def append(self, record: msgspec.Struct) -> None:  # type: ignore[override]
        self.records.append(record)
        super().append(record)  # type: ignore[arg-type]


Begin = Callable[..., tuple[AttemptContext, Recorded]]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    journals: list[Recorded] = []

    def begin(reference: str = REFERENCE, digest: str = DIGEST) -> tuple[AttemptContext, Recorded]:
        benchmark = BenchmarkFile(
            benchmark_id="b1",
            dataset="d1",
            path="absent",
            scorer="exact_match",
            scorer_version=1,
            scorer_reference=reference,
            scorer_digest=digest,
        )
        job = Job(run_id="r1", attempt=1, reference="x:y", values={}, benchmarks=(benchmark,))
        folder = Folder(tmp_path)
        journals.append(Recorded(folder.journal))
        return AttemptContext(folder, job, journals[-1], Control(), None), journals[-1]

    yield begin
    for journal in journals:
        journal.close()


def test_an_evaluation_is_scored_recorded_and_given_back(begin: Begin, tmp_path: Path) -> None:
    context, journal = begin()
    scores = context.evaluate(3, "b1", ANSWERS)
    told = journal.records[-1]
    assert isinstance(told, Evaluated)
    assert (told.step, told.benchmark_id, told.scores, told.items) == (3, "b1", scores, 2)
    assert scores[0].value == 0.5
    rows = (tmp_path / "staged" / told.predictions).read_text().splitlines()
    assert [msgspec.json.decode(row)["score"] for row in rows] == [1.0, 0.0]


def test_the_environment_says_which_source_the_scores_come_from(begin: Begin) -> None:
    context, journal = begin()
    context.log({"loss": 1.0}, step=1)
    (environment,) = (record for record in journal.records if isinstance(record, Environment))
    assert environment.flags["scorer exact_match 1"] == DIGEST


def test_a_scorer_is_the_one_that_was_announced(begin: Begin) -> None:
    assert begin()[0].scorer("b1") is exact_match
    with pytest.raises(ScorerChanged):
        begin(digest="0" * 64)[0].scorer("b1")
    with pytest.raises(ScorerNotHere, match="scorer 'exact_match' version 1"):
        begin(reference="", digest="")[0].scorer("b1")


def test_a_broken_scorer_records_nothing(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    context, journal = begin()
    broken = msgspec.structs.replace(exact_match, score=lambda expected, found: 1 / 0)
    monkeypatch.setattr(scorers, "exact_match", broken)
    with pytest.raises(ScorerFailed, match="scorer 'exact_match' failed on item 'a': ZeroDivisionError"):
        context.evaluate(3, "b1", ANSWERS)
    assert not any(isinstance(record, Evaluated) for record in journal.records)


def test_images_and_tables_are_artifacts_of_the_attempt(begin: Begin, tmp_path: Path) -> None:
    context, journal = begin()
    context.image("plots/grey.png", np.zeros((2, 2)))
    context.table("rows.jsonl", [{"a": np.float32(0.5)}])
    told = [record for record in journal.records if isinstance(record, Artifact)]
    assert [(each.path, each.media_type) for each in told] == [
        ("plots/grey.png", "image/png"),
        ("rows.jsonl", "application/x-ndjson"),
    ]
    assert (tmp_path / "staged" / told[1].digest).read_text() == '{"a":0.5}\n'
