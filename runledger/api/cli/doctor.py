"""`runledger doctor`: is this machine fit, and does what should run, run?"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Literal

import click
import msgspec
import psutil
from sqlalchemy.exc import DBAPIError

from runledger.api.cli import installed, memory, preflight
from runledger.api.cli.connection import connect
from runledger.api.cli.exits import SetupProblem
from runledger.api.cli.output import Output, with_output
from runledger.api.cli.programs import mlflow_address
from runledger.api.cli.settings import UpSettings
from runledger.api.client import ClientError
from runledger.migrations import current, newest
from runledger.tracker.errors import TrackerError
from runledger.tracker.seal.state import seal_state
from runledger.tracker.settings import StorageSettings, load
from runledger.tracker.store.engine import open_ledger, open_views, read, target_of

MARKS = {"ok": "✓", "note": "·", "bad": "✗"}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at; only what is `bad` makes the command fail."""

    subject: str
    verdict: Literal["ok", "note", "bad"]
    words: str


@click.command()
@with_output
def doctor(output: Output) -> None:
    """Check Python, data folder, databases, recipes, scorers, the API and MLflow; say what memory is held.

    Exit status 5 if one is bad.
    """
    storage, settings = load(StorageSettings, os.environ), load(UpSettings, os.environ)
    findings = [
        Finding(
            subject="python", verdict="ok", words=f"{platform.python_version()} on {platform.platform()}"
        ),
        _examine("data folder", lambda: _look_at_data(storage)),
        _examine("ledger", lambda: _look_at_database(storage, "ledger")),
        _examine("views", lambda: _look_at_database(storage, "views")),
        _look_at_seal(storage),
        *_look_at_recipes(),
        _look_at_api(),
        _look_at_mlflow(settings),
        *_look_at_memory(storage),
    ]
    width = max(len(finding.subject) for finding in findings)
    lines = [f"{MARKS[one.verdict]} {one.subject:<{width}}  {one.words}" for one in findings]
    output.result(findings, lines)
    if bad := [finding.subject for finding in findings if finding.verdict == "bad"]:
        raise SetupProblem(f"not in order: {', '.join(bad)}")


def _examine(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject=subject, verdict="ok", words=look())
    except (SetupProblem, TrackerError) as problem:
        return Finding(subject=subject, verdict="bad", words=str(problem))


def _look_at_data(storage: StorageSettings) -> str:
    if not storage.data.exists():
        return f"{storage.data.absolute()} does not exist yet; `runledger up` makes it"
    preflight.check_data_folder(storage.data)
    return str(storage.data.absolute())


def _look_at_database(storage: StorageSettings, side: str) -> str:
    """A SQLite file that is not there yet is fine: asking must not make one."""
    engine = open_ledger(storage.ledger) if side == "ledger" else open_views(storage.views)
    try:
        if engine.url.get_backend_name() == "sqlite" and not preflight.is_file(engine.url.database):
            return f"{target_of(engine)} does not exist yet"
        revision, wanted = current(engine), newest(engine)
        if revision != wanted:
            raise SetupProblem(f"{target_of(engine)} is at {revision}, not at {wanted}: runledger migrate")
        return f"{target_of(engine)} at revision {revision}"
    finally:
        engine.dispose()


def _look_at_seal(storage: StorageSettings) -> Finding:
    """Bad only where the log contradicts its seals; a database that is not there has been told of."""
    engine = open_ledger(storage.ledger)
    try:
        if engine.url.get_backend_name() == "sqlite" and not preflight.is_file(engine.url.database):
            return Finding(subject="seal", verdict="note", words="nothing is sealed yet")
        with read(engine) as conn:
            state = seal_state(conn)
    except (TrackerError, DBAPIError) as problem:
        return Finding(subject="seal", verdict="note", words=f"cannot be told: {problem}")
    finally:
        engine.dispose()
    return Finding(subject="seal", verdict="bad" if state.problem else "ok", words=state.words)


def _look_at_recipes() -> list[Finding]:
    """What a worker would announce, and each that it would have to leave out."""
    try:
        found = installed.look(os.environ)
    except SetupProblem as problem:
        return [Finding(subject="recipes", verdict="bad", words=str(problem))]
    return [*_these("recipe", found.recipes), *_these("scorer", found.scorers)]


def _these(kind: str, found: Iterable[installed.Found]) -> Iterator[Finding]:
    broken = [each for each in found if each.problem is not None]
    names = sorted(each.in_words() for each in found if each.problem is None)
    words = ", ".join(names) or f"none is installed (entry point group runledger.{kind}s)"
    yield Finding(subject=f"{kind}s", verdict="ok" if names else "bad", words=words)
    for each in broken:
        yield Finding(subject=kind, verdict="bad", words=each.in_words())


def _look_at_api() -> Finding:
    with connect(retry_seconds=0) as client:
        try:
            health = client.health()
        except ClientError as problem:
            return Finding(subject="api", verdict="note", words=str(problem))
    words = f"{client.url}: {health.status}, {len(health.workers)} workers, position {health.position}"
    if health.problems:
        return Finding(subject="api", verdict="bad", words=f"{words}: {'; '.join(health.problems)}")
    return Finding(subject="api", verdict="ok", words=words)


def _look_at_mlflow(settings: UpSettings) -> Finding:
    """Our own need not be there: `up` starts it."""
    url = mlflow_address(settings)
    try:
        preflight.check_mlflow_answers(url)
    except SetupProblem as problem:
        if settings.mlflow_url is not None:
            return Finding(subject="mlflow", verdict="bad", words=str(problem))
        return Finding(
            subject="mlflow", verdict="note", words=f"{url}: none is there, `runledger up` starts one"
        )
    return Finding(subject="mlflow", verdict="ok", words=f"{url} answers")


def _look_at_memory(storage: StorageSettings) -> list[Finding]:
    """What each process of `up` holds, and all of them together without MLflow."""
    up = memory.owner(storage.data)
    if up is None:
        words = f"`runledger up` does not run on {storage.data.absolute()}"
        return [Finding(subject="memory", verdict="note", words=words)]
    try:
        held = memory.held(up)
    except psutil.Error as problem:
        return [Finding(subject="memory", verdict="note", words=f"cannot be told: {problem}")]
    has_spare = any(each.name == "spare" for each in held)
    others = sum(each.size_bytes for each in held if not each.is_of_mlflow)
    words = (
        f"{_megabytes(others)} without MLflow ({memory.UNIT.upper()}), {'one' if has_spare else 'no'} spare"
    )
    return [
        *(
            Finding(subject=f"memory {name}", verdict="ok", words=_shares(each))
            for name, each in groupby(sorted(held, key=attrgetter("name")), key=attrgetter("name"))
        ),
        Finding(subject="memory", verdict="ok", words=words),
    ]


def _shares(held: Iterable[memory.Held]) -> str:
    """`81 MB in process 123`, or the sum and how many they are."""
    each = list(held)
    size = _megabytes(sum(one.size_bytes for one in each))
    return f"{size} in process {each[0].pid}" if len(each) == 1 else f"{size} in {len(each)} processes"


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.0f} MB"
