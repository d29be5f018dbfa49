from __future__ import annotations

from tracker.events.run import RunCompleted


def test_a_whole_run_is_told(story, told, mlflow):
    run = story.request(values={"dataset": story.dataset(), "lr": 0.1})
    benchmark = story.benchmark()
    story.start(run)
    covers = story.points(run, range(10))
    saved = story.checkpoint(run, 9, covers)
    story.evaluate(run, benchmark, saved)
    story.tell(f"run-{run}", RunCompleted(attempt=1, step=9))

    told.catch_up(mlflow)

    assert told.differences(mlflow) == []
    (mirror,) = mlflow.runs.values()
    assert mirror.status == "FINISHED"
    assert len(mirror.points) == 21
