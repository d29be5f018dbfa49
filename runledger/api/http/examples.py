"""An example of every body, typed like the body itself: the OpenAPI document and its test use them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from runledger.api import answers, attempt_requests, batches, requests
from runledger.api.errors import Fault
from runledger.api.http.problems import Problem, urn
from runledger.api.reading import links
from runledger.tracker.events.base import ResumePoint
from runledger.tracker.events.dataset import Generated
from runledger.tracker.ids import Digest
from runledger.tracker.spec import DeviceRequest, JsonObject, Limits, RunSpec

AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
MICROS = 1_772_357_400_000_000
RUN = "0c4f1c9b7a7d4f3c9f7b2d0c6a1e5b42"
EXPERIMENT = "8f14e45fceea467a9575d2f3b6c0a1d7"
EVALUATION = "c81e728d9d4c4f636f067f89cc14862c"
BENCHMARK = "45c48cce2e2d7fbdea1afc51c7c6ad26"
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
VALUES: JsonObject = {"seed": 0, "steps": 2000, "data": DIGEST}
UPLOAD = (
    '{"id": "a1", "prompt": "17+25=", "steps": ["7+5+0=12", "1+2+1=04"], "answer": "42"}\n'
    '{"id": "a2", "prompt": "90-48=", "answer": "42"}\n'
)

LAUNCH = requests.LaunchRequest(
    experiment="arithmetic", recipe="lm", preset="arithmetic", spec={"seed": 1}, tags={"team": "nlp"}
)
WRITTEN = answers.Written(position=4711, version=7)
LAUNCHED = answers.Launched(
    run_id=RUN, experiment_id=EXPERIMENT, position=41, version=1, links=links.of_run(RUN)
)
EXPERIMENT_ANSWER = answers.Experiment(
    experiment_id=EXPERIMENT,
    position=40,
    version=1,
    name="arithmetic",
    description="Additions and subtractions with their working.",
    archived=False,
    runs=1,
    created_at=AT,
    created_by="api:ada",
)
FACT = answers.Fact(
    position=44,
    stream=f"run-{RUN}",
    version=2,
    event_id=UUID("0b9e6c7e-54e5-4a8e-9c3b-1c2f6a7d8e90"),
    type="RunStarted",
    schema=1,
    recorded_at=AT,
    occurred_at=AT,
    actor="worker:gpu-1",
    correlation_id=None,
    causation_id=None,
    data={"attempt": 1, "worker": "gpu-1", "epoch": 1, "resumed_from": None},
)
RUN_FIELDS: dict[str, Any] = {
    "run_id": RUN,
    "experiment_id": EXPERIMENT,
    "name": "lm arithmetic",
    "status": "running",
    "version": 5,
    "position": 41,
    "recipe": "lm",
    "priority": 0,
    "external": False,
    "hidden": False,
    "attempt": 1,
    "step": 500,
    "tags": {"team": "nlp"},
    "requested_at": AT,
    "requested_by": "api:ada",
    "started_at": AT,
    "updated_at": AT,
    "ended_at": None,
    "links": links.of_run(RUN),
}
ATTEMPT = answers.Attempt(
    attempt=1,
    worker="gpu-1",
    epoch=1,
    started_at=AT,
    ended_at=None,
    ending=None,
    resumed_from=None,
    environment=None,
)
RUN_ROW = answers.RunRow(**RUN_FIELDS)
RUN_ANSWER = answers.Run(
    **RUN_FIELDS,
    spec=RunSpec(recipe="lm", version=1, digest=DIGEST, values=VALUES),
    params={"seed": 0, "steps": 2000, "data": DIGEST},
    note="",
    limits=Limits(),
    device=DeviceRequest(),
    worker_labels={},
    forked_from=None,
    attempts=[ATTEMPT],
    progress=answers.Progress(phase="training", done=512, total=2000, progressed_at=AT, heartbeat_at=AT),
    failure=None,
    final_metrics={},
)
CHECKPOINT = answers.Checkpoint(
    attempt=1,
    step=500,
    digest=DIGEST,
    size_bytes=1_048_576,
    loss=0.31,
    saved_at=AT,
    deleted_at=None,
    deleted_by=None,
    links=links.of_blob(DIGEST),
)
ARTIFACT = answers.Artifact(
    path="tokenizer.json",
    attempt=1,
    digest=DIGEST,
    size_bytes=2_048,
    media_type="application/json",
    recorded_at=AT,
    links=links.of_blob(DIGEST),
)
SUMMARY = answers.MetricSummary(
    key="train/loss",
    points=512,
    non_finite=0,
    last_value=0.31,
    last_step=511,
    last_time=MICROS,
    min_value=0.29,
    min_step=498,
    max_value=5.6,
    max_step=0,
)
SERIES = answers.Series(
    key="train/loss",
    points=3,
    non_finite=1,
    attempt=[1, 1, 1],
    step=[0, 1, 2],
    time=[MICROS, MICROS + 20_000, MICROS + 40_000],
    value=[5.6, "NaN", 5.1],
)
EVALUATION_ANSWER = answers.Evaluation(
    evaluation_id=EVALUATION,
    position=60,
    version=2,
    run_id=RUN,
    step=500,
    checkpoint=DIGEST,
    benchmark_id=BENCHMARK,
    status="completed",
    attempt=1,
    worker="gpu-1",
    scores=[answers.ScoreAnswer(name="exact_match", value=0.91, low=0.88, high=0.93, count=512, unscored=0)],
    predictions=DIGEST,
    items=512,
    error_class=None,
    message=None,
    superseded_by=None,
    requested_at=AT,
    requested_by="worker:gpu-1",
    ended_at=AT,
    links=links.of_evaluation(EVALUATION),
)
PREDICTION = answers.Prediction(
    index=0, prediction={"id": "a1", "prediction": "42", "expected": "42", "exact_match": 1}
)
DATASET = answers.Dataset(
    digest=DIGEST,
    position=38,
    version=1,
    name="arithmetic train",
    format="traces",
    items=20_000,
    size_bytes=3_400_000,
    source=Generated(generator="arithmetic", options={"seed": 0, "items": 20_000, "split": "train"}),
    statistics={"prompt_chars_mean": 7.5, "prompt_chars_max": 8.0},
    description="",
    registered_at=AT,
    registered_by="api:ada",
    links=links.of_blob(DIGEST),
)
BENCHMARK_ANSWER = answers.Benchmark(
    benchmark_id=BENCHMARK,
    position=39,
    version=1,
    name="arithmetic held out",
    dataset=DIGEST,
    scorer="exact_match",
    scorer_version=1,
    direction="maximize",
    tolerance=0.0,
    baseline=None,
    defined_at=AT,
    defined_by="api:ada",
)
RECIPE = answers.RecipeAnswer(
    name="lm",
    version=1,
    digest=DIGEST,
    description="Causal language models.",
    devices=["cpu", "gpu", "tpu"],
    schema={"type": "object", "properties": {"seed": {"type": "integer", "default": 0}}},
    presets={"arithmetic": {"spec": {"steps": 2000}}},
    scorers=["exact_match", "loss", "numeric"],
    workers=["gpu-1"],
)
SCORER = answers.ScorerAnswer(
    name="exact_match",
    version=1,
    digest=DIGEST,
    direction="maximize",
    description="Whether the prediction is what was expected.",
    recipes=["lm"],
)
HEALTH = answers.Health(
    status="ok",
    problems=[],
    position=4711,
    projections=[answers.ConsumerHealth(name="runs", position=4711, lag=0)],
    mlflow=answers.MlflowHealth(name="mlflow", position=4700, lag=11),
    seal=answers.SealHealth(name="sealer", position=4711, lag=0, sealed_at=AT),
    workers=[answers.WorkerHealth(worker_id="gpu-1", state="idle", seen_at=AT, is_missing=False)],
    leases=[],
    queued=0,
)

TOLD: tuple[Any, ...] = (
    attempt_requests.ExternalRunRequest(
        run_id=RUN, experiment="digits", name="train.py", params={"rate": 0.001}, tags={"team": "vision"}
    ),
    attempt_requests.AttemptRequest(worker="node-7-4211-0f3a9c1e", lease_seconds=30.0, occurred_at=AT),
    attempt_requests.HeartbeatRequest(phase="training", done=512, total=2000),
    attempt_requests.ParamsRequest(params={"parameters": 1_280_000}),
    attempt_requests.EnvironmentRequest(
        versions={"python": "3.11.9", "jax": "0.6.2"}, devices=("gpu NVIDIA H100",), seed=0
    ),
    attempt_requests.CheckpointRequest(
        step=500,
        digest=DIGEST,
        size_bytes=1_048_576,
        loss=0.31,
        covers=attempt_requests.CoversBody(version=3, offset=200),
        evaluations=(
            attempt_requests.EvaluationBody(
                benchmark_id=BENCHMARK,
                scores=(attempt_requests.ScoreBody(name="accuracy", value=0.97, low=0.96, count=360),),
                predictions=DIGEST,
                items=360,
            ),
        ),
    ),
    attempt_requests.ArtifactRequest(
        path="plots/confusion.png", digest=DIGEST, size_bytes=20_480, media_type="image/png"
    ),
    attempt_requests.EndRequest(
        outcome="failed", error_class="FloatingPointError", message="the loss is NaN", reason="diverged"
    ),
)
"""The bodies of runs that are executed elsewhere."""

_TYPED: tuple[Any, ...] = (
    *TOLD,
    LAUNCH,
    requests.ForkRequest(step=500, spec={"rate": 0.01}, name="a lower rate"),
    requests.ReasonRequest(reason="the loss diverges"),
    requests.RunPatch(name="baseline", tags={"team": "nlp", "draft": None}, note="Good.", hidden=False),
    requests.ExperimentRequest(name="arithmetic", description="Additions and subtractions."),
    requests.ExperimentPatch(name="arithmetic, two digits"),
    requests.DatasetRequest(generator="arithmetic", options={"items": 1000, "split": "heldout"}),
    requests.BenchmarkRecipe(name="arithmetic held out", dataset=DIGEST, scorer="exact_match"),
    WRITTEN,
    LAUNCHED,
    answers.AttemptAnswer(
        run_id=RUN,
        attempt=2,
        epoch=3,
        lease_seconds=30.0,
        status="running",
        outcome=None,
        resumed_from=ResumePoint(attempt=1, step=500, digest=Digest(DIGEST)),
        telemetry=answers.TelemetryPlace(),
        position=4711,
    ),
    answers.Heartbeat(stop="pause", lease_seconds=30.0),
    answers.BlobWritten(digest=DIGEST, size_bytes=20_480),
    answers.BatchTaken(version=8, batch=7, position=4_711),
    batches.MetricsBody(
        batch=7,
        points=[
            batches.MetricRow(key="train/loss", step=120, value=2.31, time=1_790_000_000_000_000),
            batches.MetricRow(key="train/lr", step=120, value=3e-4, time=1_790_000_000_000_000),
        ],
    ),
    answers.ExperimentWritten(experiment_id=EXPERIMENT, position=40, version=1),
    answers.DatasetWritten(digest=DIGEST, items=20_000, size_bytes=3_400_000, position=38, version=1),
    answers.BenchmarkWritten(benchmark_id=BENCHMARK, dataset=DIGEST, position=39, version=1),
    EXPERIMENT_ANSWER,
    RUN_ANSWER,
    SERIES,
    EVALUATION_ANSWER,
    DATASET,
    BENCHMARK_ANSWER,
    HEALTH,
    answers.Alive(),
    answers.Ready(position=4711),
)
_PAGED: tuple[Any, ...] = (
    EXPERIMENT_ANSWER,
    RUN_ROW,
    FACT,
    CHECKPOINT,
    ARTIFACT,
    SUMMARY,
    EVALUATION_ANSWER,
    PREDICTION,
    DATASET,
    BENCHMARK_ANSWER,
    RECIPE,
    SCORER,
)

EXAMPLES: dict[str, Any] = {type(example).__name__: example for example in _TYPED} | {
    f"PageOf{type(item).__name__}": answers.Page(items=[item]) for item in _PAGED
}
"""By the name of the schema in the OpenAPI document."""

_PROBLEMS: dict[int, tuple[str, str, list[Fault]]] = {
    400: ("BadCursor", "the cursor is not one that a page's `next` gave", []),
    401: ("Unauthorized", "a bearer token is needed", []),
    403: ("ForeignOrigin", "requests from pages of https://elsewhere.example are not accepted", []),
    404: ("NotFound", f"no run {RUN!r}", []),
    409: ("RunAlreadyEnded", f"run {RUN}: is completed already", []),
    412: ("StaleVersion", "version 3 was expected, but it is at 4", []),
    413: ("BodyTooLarge", "the body must be at most 2097152 bytes", []),
    415: ("UnsupportedContentType", "the body must be application/json, not text/plain", []),
    416: ("RangeNotSatisfiable", "no byte of the range lies within 100 bytes", []),
    421: ("UnknownHost", "this server is not 'elsewhere.example'", []),
    422: (
        "Invalid",
        "$.spec.stepz: unknown key",
        [Fault("$.spec.stepz", "unknown key; known here: seed, steps")],
    ),
    429: ("TooMuchWaits", "more telemetry is on its way than may be: send it once more", []),
    503: ("PositionNotReached", "the read model is at position 40, not yet at 41", []),
}


def problem_example(status: int) -> Problem:
    name, detail, faults = _PROBLEMS[status]
    title = name[0] + "".join(f" {c.lower()}" if c.isupper() else c for c in name[1:])
    return Problem(type=urn(name), title=title, status=status, detail=detail, faults=faults)
