"""Which scorers there are, and that nothing is accepted which nobody could score."""

from __future__ import annotations

from msgspec.structs import replace

from runledger.tracker.store.announcements import RecipeAnnouncement, ScorerAnnouncement
from tests.api.conftest import HELDOUT, LAUNCH, RECIPE, TRAIN, Api, announce

EXACT = ScorerAnnouncement(name="exact_match", version=1, digest="e" * 64, direction="maximize")
LOSS = ScorerAnnouncement(name="loss", version=2, direction="minimize", description="Nats.")
SCORING = replace(RECIPE, scorers=(EXACT,))
OTHER = RecipeAnnouncement(name="other", version=1, digest="f" * 64, schema={}, scorers=(EXACT, LOSS))
SUMS = {"name": "sums", "dataset": HELDOUT, "scorer": "exact_match"}


def fault(api: Api, path: str, body: object) -> tuple[str, str]:
    answer = api.client.post(f"/api/v1{path}", json=body)
    assert answer.status_code == 422, answer.text
    (found,) = answer.json()["faults"]
    return found["place"], found["problem"]


def test_the_scorers_that_workers_have_announced_are_listed(api: Api) -> None:
    announce(api.backend.ledger, SCORING, OTHER)
    found = api.get("/scorers")["items"]
    assert [(each["name"], each["version"], each["recipes"]) for each in found] == [
        ("exact_match", 1, ["other", "toy"]),
        ("loss", 2, ["other"]),
    ]
    assert [each["direction"] for each in found] == ["maximize", "minimize"]
    assert {each["name"]: each["scorers"] for each in api.get("/recipes")["items"]} == {
        "other": ["exact_match", "loss"],
        "toy": ["exact_match"],
    }


def test_a_benchmark_with_a_scorer_that_nobody_has_is_refused(api: Api) -> None:
    announce(api.backend.ledger, SCORING)
    assert fault(api, "/benchmarks", SUMS | {"scorer": "taste"}) == (
        "$.scorer",
        "no worker has announced a scorer 'taste' 1; announced: exact_match 1",
    )
    assert "exact_match 1" in fault(api, "/benchmarks", SUMS | {"scorer_version": 2})[1]
    assert api.client.post("/api/v1/benchmarks", json=SUMS).status_code == 201


def test_a_launch_is_refused_with_a_scorer_that_is_another_recipes_own(api: Api) -> None:
    announce(api.backend.ledger, SCORING, OTHER)
    described = SUMS | {"scorer": "loss", "scorer_version": 2}
    launch = LAUNCH | {"spec": {"benchmark": described}}
    assert fault(api, "/runs", launch) == (
        "$.spec.benchmark",
        "no worker has announced a scorer 'loss' 2; announced: exact_match 1",
    )
    benchmark = api.client.post("/api/v1/benchmarks", json=described).json()["benchmark_id"]
    assert fault(api, "/runs", LAUNCH | {"spec": {"benchmark": benchmark}})[0] == "$.spec.benchmark"
    assert api.launch(spec={"data": TRAIN})


def test_nothing_is_refused_where_no_worker_has_said_what_it_has(api: Api) -> None:
    assert api.get("/scorers")["items"] == []
    assert api.client.post("/api/v1/benchmarks", json=SUMS | {"scorer": "taste"}).status_code == 201
