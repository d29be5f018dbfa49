"""`runledger verify`: is the log, a run of it or an export still what was written and sealed?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from runledger.api.cli.databases import migrated_ledger
from runledger.api.cli.exits import Altered, BadUsage
from runledger.api.cli.output import Output, with_output
from runledger.tracker.seal.errors import ExportInvalid
from runledger.tracker.seal.keys import load_public_keys
from runledger.tracker.seal.notes import PublicKey
from runledger.tracker.seal.offline import verify_export
from runledger.tracker.seal.opening import known_keys, open_place
from runledger.tracker.seal.place import Place
from runledger.tracker.seal.settings import SealSettings
from runledger.tracker.seal.state import seal_state
from runledger.tracker.seal.verifying import Progress as Report
from runledger.tracker.seal.verifying import Verified, verify_log
from runledger.tracker.settings import StorageSettings, load
from runledger.tracker.store.engine import read
from runledger.tracker.store.log import Log

PATH = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.option("--run", "run_id", metavar="ID", help="Only the events of one run, and where they stand.")
@click.option(
    "--seals",
    "--checkpoints",
    "place",
    metavar="PLACE",
    help="Where seals lie outside of the database: a folder or a URL; by default RUNLEDGER_SEALS_URL.",
)
@click.option("--public-key", type=PATH, help="Keys to trust, one a line; else those of the settings.")
@click.option("--export", type=PATH, help="Verify this file, made by `runledger export`, and no database.")
@with_output
def verify(
    output: Output, run_id: str | None, place: str | None, public_key: Path | None, export: Path | None
) -> None:
    """Hash every event anew, follow every stream, compute the root of every seal anew.

    Names the first position that is affected and what is wrong there, and then ends with exit status 7.
    Events behind the last seal are counted as not sealed yet.
    """
    if export is None:
        _verify_log(output, run_id, place, public_key)
    elif run_id or place:
        raise BadUsage("--export is verified by itself: neither --run nor --seals")
    elif public_key is None:
        raise BadUsage("--export needs --public-key: a file with what `runledger seal public-key` prints")
    else:
        _verify_export(output, export, public_key)


def _verify_log(output: Output, run_id: str | None, place: str | None, public_key: Path | None) -> None:
    storage, settings = load(StorageSettings, os.environ), load(SealSettings, os.environ)
    with migrated_ledger() as engine, show_progress(output) as report:
        log = Log(engine)
        try:
            outside = open_place(place or settings.place(storage), log.log_id)
            keys = known_keys(log.log_id, storage, settings, public_key)
            _check_keys(log, outside, keys)
            found = verify_log(log, keys, outside, run_id, report)
        finally:
            log.close()
    output.result(found, [*_lines(found, outside.url), *_warnings(found)])
    if found.fault is not None:
        raise Altered(f"position {found.fault.position}: {found.fault.problem}")


def _check_keys(log: Log, outside: Place, keys: Sequence[PublicKey]) -> None:
    """What was never sealed can be verified without."""
    with read(log.engine) as conn:
        is_sealed = seal_state(conn).size > 0 or outside.newest() is not None
    if is_sealed and not keys:
        raise BadUsage("seals are read with a public key: --public-key FILE (runledger seal public-key)")


def _verify_export(output: Output, export: Path, public_key: Path) -> None:
    keys = load_public_keys(public_key)
    with export.open("rb") as file:
        try:
            found = verify_export(file, keys)
        except ExportInvalid as problem:
            raise Altered(f"{export}: {problem}") from problem
    lines = [
        f"run {found.run_id}: {found.events} events of {len(found.streams)} streams",
        f"{len(found.digests)} digests of checkpoints, artifacts, output and data are named",
        f"in the log {found.log_id}, sealed up to {found.sealed} at {found.sealed_at:%Y-%m-%d %H:%M:%S} UTC",
        f"whole up to there, by the word of whoever exported it at {found.exported_at:%Y-%m-%d %H:%M:%S} UTC",
        "in order",
    ]
    output.result(found, lines)


def _lines(found: Verified, place: str) -> Iterator[str]:
    what = f"run {found.run_id} in " if found.run_id else ""
    yield f"{what}log {found.log_id}: {found.events} events"
    if found.sealed:
        seals = f"{found.seals_in_database} seals in the database and {found.seals_outside} in {place}"
        yield f"sealed up to {found.sealed} at {found.sealed_at:%Y-%m-%d %H:%M:%S} UTC: {seals}"
    if found.fault is None:
        yield f"{found.unsealed} events are not sealed yet" if found.unsealed else "nothing is unsealed"
        yield "in order"


def _warnings(found: Verified) -> Iterator[str]:
    """What is no fault, and yet to be known."""
    for restore in found.restores:
        yield (
            f"restored from a backup ({restore.reason}): {restore.lost_size} events were sealed at "
            f"{restore.lost_at:%Y-%m-%d %H:%M:%S} UTC, of which those up to {restore.kept} are kept"
        )
    if found.seals_in_database and not found.seals_outside:
        yield "no seal was found outside of the database: an older copy of it would not be noticed"


@contextmanager
def show_progress(output: Output) -> Iterator[Report]:
    """On a terminal; elsewhere nothing is drawn."""
    if not output.is_live:
        yield lambda done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=output.console, transient=True) as progress:
        task = progress.add_task("verifying", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
