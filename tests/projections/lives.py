"""Random but lawful lives: commands that the domain decides, and telemetry, in many streams at once."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import cast

from runledger.tracker.aggregates.run import commands, decide, fold
from runledger.tracker.aggregates.run.state import Run
from runledger.tracker.errors import Refused
from runledger.tracker.events.base import Covers, Score
from runledger.tracker.events.benchmark import BaselinePromoted, BaselineWithdrawn, BenchmarkDefined
from runledger.tracker.events.dataset import DatasetDescribed, DatasetRegistered, Generated
from runledger.tracker.events.evaluation import (
    EvaluationCompleted,
    EvaluationFailed,
    EvaluationLost,
    EvaluationRequested,
    EvaluationStarted,
    EvaluationSuperseded,
)
from runledger.tracker.events.experiment import (
    ExperimentArchived,
    ExperimentCreated,
    ExperimentRenamed,
    ExperimentRestored,
)
from runledger.tracker.events.run import RunEvent
from runledger.tracker.events.telemetry import LogsRecorded
from runledger.tracker.ids import Digest, RunId, run_stream, telemetry_stream
from runledger.tracker.spec import Limits, RunSpec
from tests.projections.conftest import Point, Story

VALUES = (0.5, 0.25, -1.0, 3e300, math.nan, math.inf, -math.inf)


class Life:
    """One run and its telemetry."""

    def __init__(self, story: Story, run_id: str, chance: random.Random) -> None:
        self.story = story
        self.run_id = RunId(run_id)
        self.chance = chance
        self.step = 0
        self.bytes = 0
        spec = RunSpec(recipe="lm", version=1, digest="d", values={"seed": chance.randint(0, 9)})
        self.apply(
            commands.RequestRun(
                run_id=self.run_id,
                experiment_id=f"e{chance.randint(1, 2)}",
                name=run_id,
                spec=spec,
                tags={"first": "1"},
                limits=Limits(attempts=4),
                external=chance.random() < 0.5,
                requested_by="api:local",
            )
        )

    def state(self) -> Run | None:
        recorded = self.story.log.read(run_stream(self.run_id))
        return fold([cast(RunEvent, each.event) for each in recorded])

    def apply(self, command: commands.Command) -> None:
        try:
            events = decide(self.state(), command)
        except Refused:
            return
        if events:
            self.story.run(self.run_id, *events)

    def go_on(self) -> None:
        """One thing more, whatever it may be; mostly what an attempt in progress does."""
        state = self.state()
        assert state is not None
        attempt = state.attempt
        if state.status == "queued" and self.chance.random() < 0.7:
            self.apply(self.start(attempt))
        elif state.is_active and self.chance.random() < 0.5:
            self.report(attempt)
        else:
            self.apply(self.chance.choice(self.commands(attempt)))

    def start(self, attempt: int) -> commands.Command:
        return commands.StartAttempt(run_id=self.run_id, attempt=attempt, worker="w", epoch=attempt)

    def report(self, attempt: int) -> None:
        stream = telemetry_stream(self.run_id, attempt)
        if self.chance.random() < 0.3:
            size = self.chance.randint(1, 99)
            self.story.tell(
                stream, LogsRecorded(start=self.bytes, size_bytes=size, digest=Digest(f"l{self.bytes}"))
            )
            self.bytes += size
            return
        points: list[Point] = []
        for _ in range(self.chance.randint(1, 9)):
            self.step += 1
            points.append((self.chance.choice(["loss", "acc"]), self.step, self.chance.choice(VALUES)))
        self.story.metrics(self.run_id, attempt, *points)
        version = self.story.version(stream)
        if self.chance.random() < 0.5:
            covers = Covers(version=version, offset=self.chance.randint(0, len(points)))
            self.apply(
                commands.RecordCheckpoint(
                    run_id=self.run_id,
                    attempt=attempt,
                    step=self.step,
                    digest=Digest(f"c{self.step}"),
                    size_bytes=1,
                    loss=self.chance.choice(VALUES),
                    covers=covers,
                )
            )

    def artifact(self, attempt: int, number: int) -> commands.Command:
        return commands.RecordArtifact(
            run_id=self.run_id,
            attempt=attempt,
            path=f"a{number}",
            digest=Digest(f"a{self.chance.random()}"),
            size_bytes=1,
        )

    def commands(self, attempt: int) -> list[commands.Command]:
        run_id, number = self.run_id, self.chance.randint(0, 3)
        return [
            commands.RecordEnvironment(
                run_id=run_id, attempt=attempt, versions={"jax": str(number)}, devices=("cpu",)
            ),
            commands.RecordParams(run_id=run_id, attempt=attempt, params={f"p{number}": math.nan}),
            self.artifact(attempt, number),
            self.artifact(attempt, number),
            commands.DeleteCheckpoint(run_id=run_id, attempt=max(1, attempt - 1), step=self.step, policy="p"),
            commands.RequestCancellation(run_id=run_id),
            commands.ConfirmCancellation(run_id=run_id, attempt=attempt),
            commands.RequestPause(run_id=run_id),
            commands.ConfirmPause(run_id=run_id, attempt=attempt),
            commands.ResumeRun(run_id=run_id),
            commands.LoseAttempt(run_id=run_id, attempt=attempt),
            commands.LoseAttempt(run_id=run_id, attempt=attempt),
            commands.PreemptAttempt(run_id=run_id, attempt=attempt, signal="SIGTERM"),
            commands.RetryRun(run_id=run_id),
            self.start(attempt + 1),
            commands.ReturnAttempt(run_id=run_id, attempt=attempt, worker="w", epoch=100 + number),
            commands.ReturnAttempt(run_id=run_id, attempt=attempt, worker="w", epoch=200 + number),
            commands.FailRun(run_id=run_id, attempt=attempt, reason="error"),
            commands.RenameRun(run_id=run_id, name=f"n{number}"),
            commands.TagRun(run_id=run_id, added={f"t{number}": "x"}, removed=(f"t{3 - number}", "first")),
            commands.NoteRun(run_id=run_id, note=f"note {number}"),
            commands.HideRun(run_id=run_id),
            commands.ShowRun(run_id=run_id),
        ]


def tell_lives(
    story: Story, chance: random.Random, *, after_each: Callable[[], None] = lambda: None, turns: int = 80
) -> list[Life]:
    """Some runs, taking turns, and a few of everything else; `after_each` is called now and then."""
    tell_the_rest(story, chance)
    lives = [Life(story, f"r{index}", chance) for index in range(3)]
    for _ in range(turns):
        chance.choice(lives).go_on()
        if chance.random() < 0.2:
            after_each()
    after_each()
    return lives


def tell_the_rest(story: Story, chance: random.Random) -> None:
    story.tell("experiment-e1", ExperimentCreated(name="one", description="first"))
    story.tell("experiment-e1", ExperimentRenamed(name="uno"), ExperimentArchived(), ExperimentRestored())
    source = Generated(generator="arithmetic", options={"seed": 1})
    story.tell(
        "dataset-d1",
        DatasetRegistered(name="d", format="text", items=3, size_bytes=9, source=source),
        DatasetDescribed(description="made"),
    )
    story.tell(
        "benchmark-b1",
        BenchmarkDefined(
            name="b", dataset=Digest("d1"), scorer="exact_match", scorer_version=1, direction="maximize"
        ),
        BaselinePromoted(evaluation_id="v1", previous=None, reason="first"),
        BaselineWithdrawn(evaluation_id="v1", reason="wrong"),
    )
    for index in range(3):
        tell_evaluation(story, f"v{index}", chance)


def tell_evaluation(story: Story, evaluation_id: str, chance: random.Random) -> None:
    stream = f"evaluation-{evaluation_id}"
    requested = EvaluationRequested(
        run_id="r1", step=1, checkpoint=Digest("c1"), benchmark_id="b1", requested_by="worker:w"
    )
    first = EvaluationStarted(attempt=1, worker="w", epoch=1)
    lost = EvaluationLost(attempt=1, last_heartbeat_at=None)
    story.tell(stream, requested, first, lost, EvaluationStarted(attempt=2, worker="w", epoch=2))
    if evaluation_id == "v2":
        story.tell(stream, EvaluationFailed(attempt=2, error_class="ValueError", message="no"))
        return
    score = Score(name="exact_match", value=chance.choice(VALUES), count=3)
    story.tell(stream, EvaluationCompleted(attempt=2, scores=(score,), predictions=Digest("p"), items=3))
    story.tell(stream, EvaluationSuperseded(by="v9"))
