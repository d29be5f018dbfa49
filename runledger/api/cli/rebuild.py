"""`runledger rebuild`: read models replayed from the log, while the old ones go on answering."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Engine

from runledger.api.cli.databases import migrated_ledger, migrated_views
from runledger.api.cli.exits import BadUsage, Refused, ServerFault
from runledger.api.cli.output import Output, with_output
from runledger.api.cli.progress import progress_bar
from runledger.projections import rebuilding
from runledger.projections.catalogue import PROJECTIONS
from runledger.projections.errors import RebuildRunning, RebuildStopped
from runledger.projections.projection import Projection
from runledger.tracker.store.log import Log


@click.command()
@click.argument("projections", metavar="[PROJECTION]...", nargs=-1)
@click.option("--abandon", is_flag=True, help="Only drop what an interrupted rebuild has left.")
@with_output
def rebuild(output: Output, projections: tuple[str, ...], abandon: bool) -> None:
    """Replay the log into new tables beside those that answer, which they then take over from.

    PROJECTION is one of experiments, runs, metrics, logs, evaluations, datasets and benchmarks; all of them
    by default. A rebuild that was interrupted goes on where it was. A second one at the same time is refused.
    An event that a projection cannot take ends it with exit status 6: the old tables go on answering.
    """
    chosen = _find(projections)
    with _opened() as (log, views):
        if abandon:
            count = rebuilding.abandon(views)
            output.result({"dropped": count}, [f"dropped what {count} unfinished builds had left"])
            return
        with progress_bar(output, "rebuilding") as report:
            done = rebuilding.rebuild(log, views, chosen, report=report)
    rate = done.events / max(done.seconds, 1e-9)
    lines = [
        f"rebuilt {', '.join(done.projections)}",
        f"up to position {done.position}: {done.events} events in {done.seconds:.1f} s, {rate:,.0f} a second",
    ]
    output.result(done, lines)


def _find(names: tuple[str, ...]) -> list[Projection]:
    """In the order of the catalogue."""
    known = [each.name for each in PROJECTIONS]
    if unknown := [name for name in names if name not in known]:
        raise BadUsage(f"there is no projection {unknown[0]!r}: {', '.join(known)}")
    return [each for each in PROJECTIONS if not names or each.name in names]


@contextmanager
def _opened() -> Iterator[tuple[Log, Engine]]:
    with migrated_ledger() as ledger, migrated_views() as views:
        log = Log(ledger)
        try:
            yield log, views
        except RebuildRunning as problem:
            raise Refused(str(problem)) from problem
        except RebuildStopped as problem:
            raise ServerFault(f"{problem}; the old tables go on answering") from problem
        finally:
            log.close()
