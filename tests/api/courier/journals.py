"""Runs as a training leaves them on its disk, written by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from runledger.api.courier.delivery import Delivery
from runledger.api.courier.door import Door
from runledger.api.courier.patience import Patience
from runledger.api.courier.tally import Tally
from runledger.api.tracking.folders import AttemptFile, AttemptFolder, RunFile, RunFolder, write_file
from runledger.tracker.ids import RunId, new_id
from runledger.tracker.journal import Artifact, Checkpoint, Ended, Mark, Opened, Points, Record, encode_frame
from runledger.tracker.staging import Staging

BEGAN = 1_700_000_000_000_000
"""When the first attempt began, in µs since 1970: long ago."""
SECOND = 1_000_000


def point(step: int, value: float | None = None, key: str = "loss") -> Points:
    return Points(
        step=step, time=BEGAN + step * SECOND, values={key: float(step) if value is None else value}
    )


class Attempt:
    """One attempt's folder, as its training fills it."""

    def __init__(
        self, run: WrittenRun, folder: AttemptFolder, *, resume: bool, pid: int, **described: Any
    ) -> None:
        self.folder = folder
        folder.path.mkdir()
        number = folder.number
        described = AttemptFile(
            number=number,
            worker=f"node-{pid}-{new_id()[:8]}",
            resume=resume,
            started_at=BEGAN + number * SECOND,
            pid=pid,
            **described,
        )
        write_file(folder.file, described)
        self.staging = Staging(folder.staged)
        self.write(Opened(run_id=run.run_id, attempt=number))

    def write(self, *records: Record) -> None:
        with self.folder.journal.open("ab") as file:
            file.write(b"".join(map(encode_frame, records)))

    def print(self, text: bytes) -> None:
        with self.folder.output.open("ab") as file:
            file.write(text)

    def steps(self, first: int, last: int, mark: int) -> None:
        """One batch."""
        self.write(*(point(step) for step in range(first, last + 1)), Mark(number=mark))

    def checkpoint(self, step: int, mark: int, content: bytes | None = None) -> Checkpoint:
        digest, size = self.staging.put_bytes(content or b"state %d" % step)
        record = Checkpoint(
            time=BEGAN + step * SECOND, step=step, digest=digest, size_bytes=size, loss=0.5, mark=mark
        )
        self.write(record)
        return record

    def artifact(self, path: str, content: bytes) -> None:
        digest, size = self.staging.put_bytes(content)
        self.write(
            Artifact(time=BEGAN + SECOND, path=path, digest=digest, size_bytes=size, media_type="text/plain")
        )

    def end(self, outcome: Any = "completed", **more: Any) -> None:
        self.write(Ended(time=BEGAN + 3600 * SECOND, outcome=outcome, **more))

    def staged(self) -> list[bytes]:
        return sorted(path.read_bytes() for path in self.folder.staged.iterdir())


class WrittenRun:
    """One run's folder below a journals folder."""

    def __init__(self, journals: Path, **described: Any) -> None:
        self.run_id = RunId(new_id())
        self.folder = RunFolder(journals / self.run_id)
        self.folder.path.mkdir(parents=True)
        fields = {"experiment": "own", "name": "mine", "params": {"lr": 0.1}, "tags": {"team": "x"}}
        fields["created_at"] = BEGAN
        write_file(self.folder.file, RunFile(run_id=self.run_id, **(fields | described)))

    def attempt(self, *, resume: bool = True, pid: int | None = None, **described: Any) -> Attempt:
        """`pid`: of a process that is gone, by default."""
        folder = self.folder.attempt(len(self.folder.attempts()) + 1)
        return Attempt(self, folder, resume=resume, pid=2**22 if pid is None else pid, **described)


class Shipping:
    """A courier within the test: its training lives until `die`."""

    def __init__(
        self,
        run: WrittenRun,
        url: str,
        *,
        lease_seconds: float = 30.0,
        flush_seconds: float = 20.0,
        **more: Any,
    ) -> None:
        self._alive = threading.Event()
        self._alive.set()
        self.tally = Tally()
        self.problem: BaseException | None = None
        self._patience = Patience(self._alive.is_set, flush_seconds)
        self._thread = threading.Thread(target=self._ship, args=(run, url, lease_seconds, more), daemon=True)
        self._thread.start()

    def die(self) -> None:
        self._alive.clear()

    def wait(self, seconds: float = 60.0) -> None:
        self._thread.join(seconds)
        assert not self._thread.is_alive()

    def _ship(self, run: WrittenRun, url: str, lease_seconds: float, more: dict[str, Any]) -> None:
        connect: Callable[..., Door] = partial(Door, url, more.pop("token", None))
        options = {"waits_when_denied": True} | more
        try:
            with self._patience:
                delivery = Delivery(
                    run.folder,
                    run.folder.attempts(),
                    connect,
                    self._patience,
                    lease_seconds=lease_seconds,
                    tally=self.tally,
                    **options,
                )
                delivery.deliver()
        except BaseException as problem:
            self.problem = problem


def ship(run: WrittenRun, url: str, **options: Any) -> Tally:
    """All of it, as after the end of the training. Raises what the courier raises."""
    shipping = Shipping(run, url, **options)
    shipping.die()
    shipping.wait()
    if shipping.problem is not None:
        raise shipping.problem
    return shipping.tally
