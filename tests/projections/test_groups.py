"""Questions about experiments, datasets, benchmarks and evaluations."""

from __future__ import annotations

import math
from collections.abc import Callable

from sqlalchemy import Connection

from runledger.projections import benchmarks, datasets, evaluations, experiments
from runledger.tracker.events import evaluation as facts
from runledger.tracker.events.base import Score
from runledger.tracker.events.benchmark import BaselinePromoted, BaselineWithdrawn, BenchmarkDefined
from runledger.tracker.events.dataset import DatasetDescribed, DatasetRegistered, Generated, Uploaded
from runledger.tracker.events.experiment import (
    ExperimentArchived,
    ExperimentCreated,
    ExperimentRenamed,
    ExperimentRestored,
)
from runledger.tracker.ids import Digest
from tests.projections.conftest import Story, requested

CatchUp = Callable[[], None]


def test_experiments_count_their_runs(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    before = story.tell("experiment-e1", ExperimentCreated(name="one", description="d"), actor="api:ann")
    story.tell("experiment-e2", ExperimentCreated(name="two"))
    story.run("r1", requested(experiment="e1"))
    catch_up()
    page = experiments.list_experiments(conn)
    assert [(each.name, each.runs) for each in page.experiments] == [("two", 0), ("one", 1)]
    one = experiments.get_experiment(conn, "e1")
    assert one is not None and (one.description, one.created_by, one.version) == ("d", "api:ann", 1)
    then = experiments.get_experiment(conn, "e1", as_of=before)
    assert then is not None and then.runs == 0
    assert experiments.get_experiment(conn, "e2", as_of=before) is None


def test_experiments_are_found_by_the_name_they_have_now(
    story: Story, catch_up: CatchUp, conn: Connection
) -> None:
    before = story.tell("experiment-e1", ExperimentCreated(name="old"))
    story.tell("experiment-e1", ExperimentRenamed(name="new"))
    catch_up()
    assert experiments.find_experiment(conn, "old") is None
    for found in (
        experiments.find_experiment(conn, "new"),
        experiments.find_experiment(conn, "old", as_of=before),
    ):
        assert found is not None and found.experiment_id == "e1"


def test_archived_experiments_are_left_out(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    archived = story.tell("experiment-e1", ExperimentCreated(name="one"), ExperimentArchived())
    story.tell("experiment-e1", ExperimentRestored())
    catch_up()
    assert experiments.list_experiments(conn, as_of=archived).experiments == ()
    (shown,) = experiments.list_experiments(conn, as_of=archived, archived=True).experiments
    assert shown.archived
    assert len(experiments.list_experiments(conn).experiments) == 1


def test_experiments_come_in_pages(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    for index in range(3):
        story.tell(f"experiment-e{index}", ExperimentCreated(name=str(index)))
    catch_up()
    first = experiments.list_experiments(conn, limit=2)
    second = experiments.list_experiments(conn, limit=2, after=first.next)
    assert [each.name for each in (*first.experiments, *second.experiments)] == ["2", "1", "0"]
    assert second.next is None


def test_a_dataset_tells_where_it_came_from(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    generated = Generated(generator="arithmetic", options={"seed": 1})
    made = DatasetRegistered(
        name="sums", format="traces", items=3, size_bytes=9, source=generated, statistics={"mean": math.nan}
    )
    before = story.tell("dataset-d1", made)
    story.tell("dataset-d1", DatasetDescribed(description="small"))
    uploaded = Uploaded(filename="x.ndjson")
    story.tell(
        "dataset-d2", DatasetRegistered(name="x", format="text", items=1, size_bytes=1, source=uploaded)
    )
    catch_up()
    dataset = datasets.get_dataset(conn, "d1")
    assert dataset is not None
    assert (dataset.source, dataset.items, dataset.description) == (generated, 3, "small")
    assert math.isnan(dataset.statistics["mean"])
    then = datasets.get_dataset(conn, "d1", as_of=before)
    assert then is not None and then.description == ""
    assert [each.digest for each in datasets.list_datasets(conn).datasets] == ["d2", "d1"]
    first = datasets.list_datasets(conn, limit=1)
    assert [each.digest for each in datasets.list_datasets(conn, after=first.next).datasets] == ["d1"]


def test_a_benchmark_knows_its_baseline(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    defined = BenchmarkDefined(
        name="sums", dataset=Digest("d1"), scorer="exact_match", scorer_version=2, direction="maximize"
    )
    before = story.tell("benchmark-b1", defined)
    promoted = story.tell("benchmark-b1", BaselinePromoted(evaluation_id="v1", previous=None, reason="r"))
    story.tell("benchmark-b1", BaselineWithdrawn(evaluation_id="v1", reason="wrong"))
    story.tell("benchmark-b2", defined)
    catch_up()

    def baseline(as_of: int | None) -> str | None:
        found = benchmarks.get_benchmark(conn, "b1", as_of)
        assert found is not None and (found.scorer_version, found.direction) == (2, "maximize")
        return found.baseline

    assert [baseline(as_of) for as_of in (before, promoted, None)] == [None, "v1", None]
    assert [each.benchmark_id for each in benchmarks.find_benchmarks(conn, "sums")] == ["b1", "b2"]
    first = benchmarks.list_benchmarks(conn, limit=1)
    assert [each.benchmark_id for each in first.benchmarks] == ["b2"]
    rest = benchmarks.list_benchmarks(conn, after=first.next)
    assert [each.benchmark_id for each in rest.benchmarks] == ["b1"]
    assert benchmarks.get_benchmark(conn, "b3") is None


def evaluation(run_id: str = "r1", benchmark_id: str = "b1") -> facts.EvaluationRequested:
    return facts.EvaluationRequested(
        run_id=run_id, step=1, checkpoint=Digest("c1"), benchmark_id=benchmark_id, requested_by="worker:w"
    )


def test_an_evaluation_is_followed_to_its_scores(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    score = Score(name="exact_match", value=0.5, low=0.4, high=0.6, count=500, unscored=1)
    lost = Score(name="loss", value=math.nan, count=500)
    asked = story.tell("evaluation-v1", evaluation())
    running = story.tell("evaluation-v1", facts.EvaluationStarted(attempt=1, worker="w", epoch=1))
    again = story.tell("evaluation-v1", facts.EvaluationLost(attempt=1, last_heartbeat_at=None))
    completed = facts.EvaluationCompleted(attempt=2, scores=(score, lost), predictions=Digest("p"), items=500)
    story.tell("evaluation-v1", completed)
    catch_up()
    found = [evaluations.get_evaluation(conn, "v1", as_of) for as_of in (asked, running, again, None)]
    assert [each.status for each in found if each] == ["queued", "running", "queued", "completed"]
    last = found[-1]
    assert last is not None and last.ended_at is not None
    assert (last.predictions, last.items, last.attempt, last.version) == ("p", 500, 2, 4)
    assert last.scores[0] == score
    assert math.isnan(last.scores[1].value)


def test_a_failed_evaluation_says_why(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    failed = facts.EvaluationFailed(attempt=None, error_class="ValueError", message="no")
    story.tell("evaluation-v1", evaluation(), failed)
    catch_up()
    found = evaluations.get_evaluation(conn, "v1")
    assert found is not None
    assert (found.status, found.error_class, found.message, found.scores) == (
        "failed",
        "ValueError",
        "no",
        (),
    )


def test_evaluations_are_listed_by_run_and_benchmark(
    story: Story, catch_up: CatchUp, conn: Connection
) -> None:
    story.tell("evaluation-v1", evaluation("r1", "b1"))
    story.tell("evaluation-v2", evaluation("r1", "b2"), facts.EvaluationSuperseded(by="v3"))
    story.tell("evaluation-v3", evaluation("r2", "b2"))
    catch_up()

    def listed(**filters: str) -> list[str]:
        page = evaluations.list_evaluations(conn, **filters)  # type: ignore[arg-type]
        return [each.evaluation_id for each in page.evaluations]

    assert listed() == ["v3", "v2", "v1"]
    assert listed(run="r1") == ["v2", "v1"]
    assert listed(benchmark="b2", status="queued") == ["v3"]
    superseded = evaluations.get_evaluation(conn, "v2")
    assert superseded is not None and superseded.superseded_by == "v3"
    first = evaluations.list_evaluations(conn, limit=2)
    assert first.next is not None
    (rest,) = evaluations.list_evaluations(conn, limit=2, after=first.next).evaluations
    assert rest.evaluation_id == "v1"
