"""`runledger token`: who may use an API that is bound off loopback. Works on the database itself."""

from __future__ import annotations

from datetime import datetime

import click

from runledger.api.cli.databases import migrated_ledger
from runledger.api.cli.exits import SetupProblem
from runledger.api.cli.output import Output, with_output
from runledger.api.settings import is_loopback
from runledger.api.tokens import create_token, has_tokens, list_tokens, revoke_token
from runledger.tracker.settings import StorageSettings
from runledger.tracker.store.engine import open_ledger

SECONDS_PER_DAY = 86_400


@click.group()
def token() -> None:
    """Bearer tokens of the REST API. They are kept as digests only."""


@token.command()
@click.argument("holder")
@click.option(
    "--days", type=click.FloatRange(min=0, min_open=True), help="How long it is valid; else for ever."
)
@with_output
def create(output: Output, holder: str, days: float | None) -> None:
    """Make a token and print it, this once. HOLDER is the actor of every event written with it."""
    with migrated_ledger() as engine:
        made = create_token(engine, holder, expires_seconds=None if days is None else days * SECONDS_PER_DAY)
    output.result({"holder": holder, "token": made}, [made])


@token.command("list")
@with_output
def show_all(output: Output) -> None:
    """All tokens that were ever made, without their secrets."""
    with migrated_ledger() as engine:
        tokens = list_tokens(engine)
    output.result(tokens, [])
    rows = [
        (one.token_id, one.holder, one.role, _day(one.created_at), _day(one.expires_at), _day(one.revoked_at))
        for one in tokens
    ]
    output.table(("token", "holder", "role", "created", "expires", "revoked"), rows)


@token.command()
@click.argument("token_id")
@with_output
def revoke(output: Output, token_id: str) -> None:
    """Make a token good for nothing. TOKEN_ID is the one that `token list` shows."""
    with migrated_ledger() as engine:
        revoke_token(engine, token_id)
    output.result({"revoked": token_id}, [f"revoked {token_id}"])


def _day(moment: datetime | None) -> str:
    return "–" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M}"


def check_tokens(host: str, storage: StorageSettings) -> None:
    """Off loopback nobody gets in without a token, so there must be one. Raises SetupProblem."""
    if is_loopback(host):
        return
    ledger = open_ledger(storage.ledger)
    try:
        if not has_tokens(ledger):
            raise SetupProblem(f"{host} is not loopback: make a token first, `runledger token create NAME`")
    finally:
        ledger.dispose()
