"""Who gets in: host, origin, token; and what a page of somebody else cannot do."""

from __future__ import annotations

from typing import Any

import pytest

from runledger.api import tokens
from runledger.api.__main__ import check_tokens
from runledger.tracker.errors import BadInput, BadSetting, NotFound
from tests.api.conftest import LAUNCH, Api

RUNS = "/api/v1/runs"
AWAY = {"host": "0.0.0.0"}


@pytest.mark.parametrize("host", ["127.0.0.1:8600", "localhost", "[::1]:8600", "LOCALHOST:1"])
def test_loopback_names_are_ours(api: Api, host: str) -> None:
    assert api.client.get(RUNS, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "192.168.0.7:8600", "localhost.evil.example", "[::", ""])
def test_any_other_host_is_refused(api: Api, host: str) -> None:
    answer = api.client.get(RUNS, headers={"Host": host})
    assert answer.status_code == 421
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_listed_host_is_ours(api_with: Any) -> None:
    with api_with(allowed_hosts="ledger.lab, other.lab") as api:
        assert api.client.get(RUNS, headers={"Host": "Ledger.lab:443"}).status_code == 200


def test_off_loopback_an_address_is_enough_but_a_foreign_name_is_not(api_with: Any) -> None:
    with api_with(**AWAY) as api:
        headers = {"Authorization": f"Bearer {tokens.create_token(api.backend.ledger, 'ada')}"}
        assert api.client.get(RUNS, headers=headers | {"Host": "192.168.0.7:8600"}).status_code == 200
        assert api.client.get(RUNS, headers=headers | {"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000", "http://[::"])
def test_a_page_of_somebody_else_can_neither_post_nor_read(api: Api, origin: str) -> None:
    posted = api.client.post(RUNS, json=LAUNCH, headers={"Origin": origin})
    read = api.client.get(RUNS, headers={"Origin": origin})
    assert (posted.status_code, read.status_code) == (403, 403)
    assert api.backend.log.head() == 0


def test_our_own_pages_and_allowed_ones_get_in(api_with: Any) -> None:
    with api_with(allowed_origins="https://lab.example") as api:
        for origin in ("http://127.0.0.1:8600", "https://lab.example"):
            assert api.client.post(RUNS, json=LAUNCH, headers={"Origin": origin}).status_code == 201


def test_a_browser_is_told_what_an_allowed_page_may_do_and_read(api_with: Any) -> None:
    asked = {
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,content-type,if-match",
    }
    with api_with(allowed_origins="https://lab.example", **AWAY) as api:
        preflight = api.client.options(f"{RUNS}/x", headers={"Origin": "https://lab.example", **asked})
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] in ("https://lab.example", "*")
        assert "PATCH" in preflight.headers["access-control-allow-methods"]
        assert "if-match" in preflight.headers["access-control-allow-headers"].lower()

        token = tokens.create_token(api.backend.ledger, "ada")
        headers = {"Origin": "https://lab.example", "Authorization": f"Bearer {token}"}
        answer = api.client.get(RUNS, headers=headers)
        assert answer.headers["access-control-allow-origin"] == "https://lab.example"
        assert "ETag" in answer.headers["access-control-expose-headers"]

        foreign = api.client.options(f"{RUNS}/x", headers={"Origin": "https://evil.example", **asked})
        assert foreign.status_code == 403


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/xml",
        "",
    ],
)
def test_no_form_is_taken_for_json(api: Api, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    answer = api.client.post(RUNS, content=b'{"experiment": "a", "recipe": "toy"}', headers=headers)
    assert answer.status_code == 415
    assert api.backend.log.head() == 0


def test_a_form_without_a_body_cancels_nothing(api: Api) -> None:
    run_id = api.launch()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert api.client.post(f"{RUNS}/{run_id}/cancel", headers=headers).status_code == 415


def test_on_loopback_nobody_needs_a_token(api: Api) -> None:
    run_id = api.launch()
    assert api.client.get(f"{RUNS}/{run_id}").json()["requested_by"] == "api:local"


def test_off_loopback_everything_but_the_probes_needs_one(api_with: Any) -> None:
    with api_with(**AWAY) as api:
        refused = api.client.get(RUNS)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert api.client.get("/metrics").status_code == 401
        assert api.client.get("/schema/openapi.json").status_code == 401
        assert api.client.get("/api/v1/health/live").status_code == 200
        assert api.client.get("/api/v1/health/ready").status_code == 200


def test_the_holder_of_a_token_is_the_actor(api_with: Any) -> None:
    with api_with(**AWAY) as api:
        token = tokens.create_token(api.backend.ledger, "ada")
        headers = {"Authorization": f"Bearer {token}"}
        run_id = api.client.post(RUNS, json=LAUNCH, headers=headers).json()["run_id"]
        [requested] = api.backend.log.read(f"run-{run_id}")
        assert requested.actor == "api:ada"


@pytest.mark.parametrize("authorization", ["Bearer rl_wrong", "Basic YTpi", "Bearer ", "nonsense"])
def test_a_wrong_token_is_refused_on_loopback_too(api: Api, authorization: str) -> None:
    assert api.client.get(RUNS, headers={"Authorization": authorization}).status_code == 401


def test_a_revoked_and_an_expired_token_are_refused(api: Api) -> None:
    ledger = api.backend.ledger
    revoked, expired = tokens.create_token(ledger, "a"), tokens.create_token(ledger, "b", expires_seconds=0)
    tokens.revoke_token(ledger, tokens.digest_of(revoked)[: tokens.ID_LENGTH])
    for token in (revoked, expired):
        assert api.client.get(RUNS, headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_tokens_are_kept_as_digests(api: Api) -> None:
    token = tokens.create_token(api.backend.ledger, "ada")
    [listed] = tokens.list_tokens(api.backend.ledger)
    assert (listed.holder, listed.token_id) == ("ada", tokens.digest_of(token)[: tokens.ID_LENGTH])
    assert token not in repr(listed)


def test_a_token_needs_a_holder_that_can_be_told_apart(api: Api) -> None:
    for holder in ("", "local", "a\nb", "x" * 101):
        with pytest.raises(BadInput):
            tokens.create_token(api.backend.ledger, holder)


def test_an_unknown_token_cannot_be_revoked(api: Api) -> None:
    tokens.create_token(api.backend.ledger, "ada")
    for token_id in ("", "0" * tokens.ID_LENGTH, "%"):
        with pytest.raises(NotFound):
            tokens.revoke_token(api.backend.ledger, token_id)


def test_it_refuses_to_start_off_loopback_without_a_token(api_with: Any) -> None:
    with api_with(**AWAY) as api:
        with pytest.raises(BadSetting, match=r"0\.0\.0\.0 is not loopback"):
            check_tokens(api.backend.settings, api.backend)
        tokens.create_token(api.backend.ledger, "ada")
        check_tokens(api.backend.settings, api.backend)


def test_a_nul_character_in_the_address_is_refused(api_on_each: Api) -> None:
    assert api_on_each.client.get(f"{RUNS}/a%00b").status_code == 400
    assert api_on_each.client.get(RUNS, params={"experiment": "\0"}).status_code == 400
