"""What lies in a journals folder and was not told, told now: for `runledger sync`.

A run that is trained at the moment, or that a courier ships, is left to those.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from runledger.api.courier.delivery import Connect, Delivery
from runledger.api.courier.errors import RefusedFact
from runledger.api.courier.patience import Patience
from runledger.api.courier.tally import Tally
from runledger.api.tracking.errors import DamagedFile
from runledger.api.tracking.folders import AttemptFolder, Lock, RunFolder, is_locked, run_folders, sweep
from runledger.tracker.errors import GaveUp

LOOK_SECONDS = 0.2

Outcome: TypeAlias = Literal[
    "sent", "told already", "training", "shipping", "refused", "unreachable", "skipped"
]


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one run's folder."""

    run_id: str
    experiment: str
    name: str | None
    outcome: Outcome
    """`training`: by a process that lives; `shipping`: its courier is at it; `skipped`: it cannot be read."""
    problem: str = ""
    notice: str = ""
    """As which other run it is kept, and why."""
    sent: Tally = msgspec.field(default_factory=Tally)
    set_aside: list[str] = []
    """Files that name what the tracker has refused, and why."""


Watcher = Callable[[RunFolder, int, int], None]
"""Is told of each run how many bytes of how many have been shipped."""


class Syncing:
    """Ships one run after the other, in a thread, so that its caller can look on."""

    def __init__(self, connect: Connect, *, lease_seconds: float, retry_seconds: float) -> None:
        self._connect = connect
        self._lease_seconds = lease_seconds
        self._retry_seconds = retry_seconds

    def sync(self, folder: RunFolder, watcher: Watcher) -> Synced:
        """Raises `Denied` where the tracker does not let us in, `FileNotFoundError` where all is gone."""
        lock = Lock(folder.courier_lock)
        try:
            if not lock.acquire():
                return _synced(folder, "shipping")
            return self._sync(folder, watcher)
        except (DamagedFile, OSError) as problem:
            if isinstance(problem, FileNotFoundError) and not folder.path.exists():
                raise
            return Synced(
                run_id=folder.run_id, experiment="", name=None, outcome="skipped", problem=str(problem)
            )
        finally:
            lock.release()

    def _sync(self, folder: RunFolder, watcher: Watcher) -> Synced:
        attempts = folder.attempts()
        if is_locked(folder.lock):  # whoever holds it now may have begun the last of these
            return _synced(folder, "training")
        if not attempts or all(_is_told(attempt) for attempt in attempts):
            return _synced(folder, "told already")
        before, sent = _synced(folder, "sent"), Tally()
        with Patience(lambda: False, self._retry_seconds) as patience:
            delivery = Delivery(
                folder,
                attempts,
                self._connect,
                patience,
                lease_seconds=self._lease_seconds,
                tally=sent,
                waits_when_denied=False,
            )
            outcome, problem = _deliver(delivery, folder, patience, watcher)
        return msgspec.structs.replace(
            before,
            outcome=outcome,
            problem=problem,
            notice=delivery.notice,
            sent=sent,
            set_aside=_set_aside(folder),
        )


def _deliver(
    delivery: Delivery, folder: RunFolder, patience: Patience, watcher: Watcher
) -> tuple[Outcome, str]:
    whole = size_of(folder)
    with ThreadPoolExecutor(1, "sync") as executor:
        shipping: Future[None] = executor.submit(delivery.deliver)
        try:
            while wait([shipping], LOOK_SECONDS).not_done:
                watcher(folder, min(delivery.shipped_bytes, whole), whole)
            shipping.result()
        except RefusedFact as refusal:
            return "refused", str(refusal)
        except GaveUp:
            return "unreachable", delivery.problem
        finally:
            patience.is_over.set()
    watcher(folder, whole, whole)
    return "sent", ""


def runs_to_sync(folder: Path) -> list[RunFolder]:
    """Those below a journals folder, or the one whose folder it is."""
    folder = folder.absolute()
    if (folder / "run.json").exists():
        return [RunFolder(folder)]
    sweep(folder)
    return run_folders(folder)


def size_of(folder: RunFolder) -> int:
    """How much there is to ship, in bytes."""
    return sum(
        path.stat().st_size
        for attempt in folder.attempts()
        for path in (attempt.journal, attempt.output, *_files(attempt.staged))
        if path.exists()
    )


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []


def _is_told(attempt: AttemptFolder) -> bool:
    place = attempt.read_place()
    return place is not None and place.is_told


def _set_aside(folder: RunFolder) -> list[str]:
    """None of a folder that has been cleared away."""
    return [str(path) for path in sorted(folder.path.glob("*/refused.jsonl"))]


def _synced(folder: RunFolder, outcome: Outcome) -> Synced:
    run = folder.read()
    return Synced(
        run_id=run.run_id,
        experiment=run.experiment,
        name=run.name,
        outcome=outcome,
        set_aside=_set_aside(folder),
    )
