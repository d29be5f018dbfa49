"""Experiments over HTTP: one for a name, archived and restored."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.api.conftest import Api

PATH = "/api/v1/experiments"


def create(api: Api, name: str) -> str:
    answer = api.client.post(PATH, json={"name": name})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["experiment_id"])


def test_an_experiment_can_be_found_once_it_is_created(api_on_each: Api) -> None:
    created = api_on_each.client.post(PATH, json={"name": "sums", "description": "Small."})
    found = api_on_each.get(
        f"/experiments/{created.json()['experiment_id']}", after=created.json()["position"]
    )
    assert (found["name"], found["description"], found["runs"], found["archived"]) == (
        "sums",
        "Small.",
        0,
        False,
    )
    assert created.headers["location"] == f"{PATH}/{found['experiment_id']}"


def test_one_that_only_the_log_has_is_not_called_unknown(api: Api) -> None:
    experiment = create(api, "sums")
    answer = api.client.get(f"{PATH}/{experiment}")
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:runledger:problem:position-not-reached"


def test_a_name_stands_for_one_experiment(api: Api) -> None:
    create(api, "sums")
    taken = api.client.post(PATH, json={"name": "sums"})
    assert taken.status_code == 409
    assert taken.json()["type"] == "urn:runledger:problem:experiment-name-taken"


def test_of_those_who_create_a_name_at_once_one_succeeds(api_on_each: Api) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: api_on_each.client.post(PATH, json={"name": "sums"}), range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


def test_a_name_is_free_again_once_its_bearer_is_renamed(api: Api) -> None:
    first = create(api, "sums")
    assert api.client.patch(f"{PATH}/{first}", json={"name": "old sums"}).status_code == 200
    second = create(api, "sums")
    assert second != first
    api.catch_up()
    run = api.client.get(f"/api/v1/runs/{api.launch(experiment='old sums')}").json()
    assert run["experiment_id"] == first
    assert api.client.post(PATH, json={"name": "old sums"}).status_code == 409


def test_an_experiment_cannot_take_the_name_of_another(api: Api) -> None:
    create(api, "sums")
    second = create(api, "products")
    assert api.client.patch(f"{PATH}/{second}", json={"name": "sums"}).status_code == 409
    assert api.client.patch(f"{PATH}/{second}", json={"name": "products"}).status_code == 200


def test_an_archived_experiment_is_left_out_until_it_is_restored(api: Api) -> None:
    experiment = create(api, "sums")
    api.client.post(f"{PATH}/{experiment}/archive", json={"reason": "done"})
    assert api.get("/experiments")["items"] == []
    assert len(api.get("/experiments", archived=True)["items"]) == 1
    restored = api.client.post(f"{PATH}/{experiment}/restore", headers={"If-Match": '"2"'})
    assert restored.json()["version"] == 3
    assert len(api.get("/experiments")["items"]) == 1


def test_a_stale_if_match_is_refused(api: Api) -> None:
    experiment = create(api, "sums")
    stale = api.client.post(f"{PATH}/{experiment}/archive", headers={"If-Match": '"7"'})
    assert (stale.status_code, stale.json()["version"]) == (412, 1)
