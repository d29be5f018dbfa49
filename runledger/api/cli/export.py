"""`runledger export`: one run in a file of its own, with proofs that need no database."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runledger.api.cli.databases import migrated_ledger
from runledger.api.cli.exits import BadUsage
from runledger.api.cli.output import Output, with_output
from runledger.tracker.seal.exporting import Exported, export_run
from runledger.tracker.seal.keys import load_key
from runledger.tracker.seal.notes import PublicKey
from runledger.tracker.seal.opening import trusted_keys
from runledger.tracker.seal.settings import SealSettings
from runledger.tracker.settings import StorageSettings, load
from runledger.tracker.store.log import Log


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--to", "file", type=click.Path(path_type=Path, dir_okay=False), help="By default RUN.jsonl.")
@with_output
def export(output: Output, run_id: str, file: Path | None) -> None:
    """Write all sealed events of RUN into a file, with proof that they stand in the log.

    Its own stream, its telemetry and its evaluations; bytes such as checkpoints are named by their
    digests. Whoever has the file and the log's public key can verify it: `runledger verify --export`.
    """
    storage, settings = load(StorageSettings, os.environ), load(SealSettings, os.environ)
    target = file or Path(f"{run_id}.jsonl")
    key = load_key(settings.key(storage))
    with migrated_ledger() as engine:
        log = Log(engine)
        try:
            written = _write(log, run_id, key, target, trusted_keys(settings))
        finally:
            log.close()
    lines = [
        f"{target}: {written.events} events of {len(written.streams)} streams",
        f"{len(written.digests)} digests of checkpoints, artifacts, output and data are named",
        f"sealed up to {written.sealed} at {written.sealed_at:%Y-%m-%d %H:%M:%S} UTC",
    ]
    if written.unsealed:
        lines.append(f"{written.unsealed} newer events of the run are not sealed yet, and not in it")
    output.result(written, lines)


def _write(
    log: Log, run_id: str, key: Ed25519PrivateKey, target: Path, trusted: Sequence[PublicKey]
) -> Exported:
    """There whole or not at all."""
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            written = export_run(log, run_id, key, file, lambda: datetime.now(UTC), trusted)
        part.replace(target)
    except OSError as problem:
        raise BadUsage(f"{target}: {(problem.strerror or str(problem)).lower()}") from problem
    finally:
        part.unlink(missing_ok=True)
    return written
