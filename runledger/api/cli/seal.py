"""`runledger seal` and `runledger restored`: the log's seal, and what has to be said after a restore."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click

from runledger.api.cli.databases import migrated_ledger
from runledger.api.cli.exits import Refused
from runledger.api.cli.output import Output, with_output
from runledger.tracker.aggregates.log import RecordRestore
from runledger.tracker.dispatch import Dispatcher
from runledger.tracker.envelope import Metadata
from runledger.tracker.seal.keys import load_key
from runledger.tracker.seal.notes import public_key_of
from runledger.tracker.seal.opening import sealer_with
from runledger.tracker.seal.settings import SealSettings
from runledger.tracker.seal.state import seal_state
from runledger.tracker.settings import StorageSettings, load
from runledger.tracker.store.engine import read
from runledger.tracker.store.log import Log


@click.group()
def seal() -> None:
    """Signed Merkle roots over the log, made by the projections' process within seconds of an event."""


@seal.command("public-key")
@with_output
def public_key(output: Output) -> None:
    """Print the key with which seals and exports of this log are verified.

    Keep it where nobody can exchange it: it is what `--public-key` takes.
    """
    storage, settings = load(StorageSettings, os.environ), load(SealSettings, os.environ)
    with _log() as log:
        key = public_key_of(log.log_id, load_key(settings.key(storage)))
    output.result({"log_id": log.log_id, "public_key": str(key)}, [str(key)])


@seal.command()
@with_output
def status(output: Output) -> None:
    """Say up to where the log is sealed, and what stands in the way of going on."""
    with _log() as log, read(log.engine) as conn:
        state = seal_state(conn)
    output.result(state, [state.words])


@click.command()
@click.option("--reason", required=True, help="Why an older copy of the database was put in its place.")
@with_output
def restored(output: Output, reason: str) -> None:
    """Tell the log that its database was restored from a backup, so that it is sealed again.

    The seals outside tell of events that are gone. `LogRestored` says so in the log, for ever.
    """
    storage, settings = load(StorageSettings, os.environ), load(SealSettings, os.environ)
    with _log() as log:
        lost = sealer_with(log, load_key(settings.key(storage)), storage, settings).lost()
        if lost is None:
            raise Refused("nothing was lost: the log bears out every seal")
        kept, newest = lost
        command = RecordRestore(
            log_id=log.log_id,
            reason=reason,
            kept=kept,
            lost_size=newest.size,
            lost_root=newest.root.hex(),
            lost_at=newest.sealed_at,
        )
        told = Dispatcher(log, clock=lambda: datetime.now(UTC)).dispatch(
            command, Metadata(actor=f"cli:{getpass.getuser()}")
        )
    output.result(
        {"position": told.position, "kept": kept, "lost": newest.size},
        [
            f"told at position {told.position}: the seal of {newest.size} events does not hold any more, "
            f"the one of {kept} does"
        ],
    )


@contextmanager
def _log() -> Iterator[Log]:
    with migrated_ledger() as engine:
        log = Log(engine)
        try:
            yield log
        finally:
            log.close()
