"""The routes for runs that are executed elsewhere, one method each: `https://…/api/v1` seen from a client.

Each may be called again with the same arguments: what the tracker has already, it answers once more.
Every method may raise any `DoorError`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec

from runledger.api.answers import AttemptAnswer, BatchTaken, BlobWritten, Heartbeat, Launched, Written
from runledger.api.courier.connection import TIMEOUT_SECONDS, Connection
from runledger.api.courier.forms import MEDIA_TYPES, Form, encode, spelt
from runledger.api.tracking.folders import RunFile, SavedState
from runledger.tracker.events.base import Covers
from runledger.tracker.events.telemetry import MetricsRecorded
from runledger.tracker.journal import Evaluated
from runledger.tracker.spec import JsonObject, Scalar

API = "/api/v1"
EPOCH = "X-Lease-Epoch"
OCTETS = "application/octet-stream"
BLOB_SECONDS = 300.0
"""A tracker that stores gigabytes answers late."""
LARGEST = 2**62
TIMES = range(7_258_118_400_000_000)
"""From 1970 to 2200, in µs."""
_EPOCH_0 = datetime(1970, 1, 1, tzinfo=UTC)

T = TypeVar("T")

Outcome: TypeAlias = Literal["completed", "failed", "cancelled", "stopped", "preempted", "lost"]


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt, and the epoch of its lease."""

    run_id: str
    attempt: int
    epoch: int

    @property
    def path(self) -> str:
        return f"{API}/runs/{self.run_id}/attempts/{self.attempt}"


class Ending(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an attempt ended, in the words of the route."""

    outcome: Outcome
    step: int | None = None
    metrics: dict[str, float] = {}
    reason: str | None = None
    error_class: str = ""
    message: str = ""
    last_lines: tuple[str, ...] = ()
    signal: str | None = None
    replaced: bool = False
    occurred_at: datetime | None = None


class Told(io.FileIO):
    """A file that tells how much of it was read."""

    def __init__(self, path: Path, on_read: Callable[[int], None]) -> None:
        super().__init__(path, "rb")
        self._on_read = on_read

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(-1 if size is None else size) or b""
        self._on_read(len(data))
        return data


class Door:
    """One kept connection: for one thread at a time."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        on_answer: Callable[[], None] | None = None,
    ) -> None:
        """`on_answer` hears of each good answer. Raises `ValueError` for what is no address."""
        self.url = url.rstrip("/")
        self._connection = Connection(url, token, timeout_seconds=timeout_seconds, on_answer=on_answer)
        self._blobs = Connection(
            url, token, timeout_seconds=max(timeout_seconds, BLOB_SECONDS), on_answer=on_answer
        )

    def __enter__(self) -> Door:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()
        self._blobs.close()

    def request_run(
        self,
        *,
        experiment: str,
        run_id: str | None = None,
        name: str | None = None,
        params: Mapping[str, Scalar] = {},
        tags: Mapping[str, str] = {},
        occurred_at: datetime | None = None,
    ) -> Launched:
        body = {"experiment": experiment, "params": _scalars(params), "tags": dict(tags)}
        return self._post(
            Launched, f"{API}/runs/external", body, run_id=run_id, name=name, occurred_at=occurred_at
        )

    def start(
        self,
        run_id: str,
        worker: str,
        *,
        lease_seconds: float = 30.0,
        resume: bool = True,
        resumed_from: SavedState | None = None,
        meant: RunFile | None = None,
        occurred_at: datetime | None = None,
    ) -> AttemptAnswer:
        """The attempt of this worker: begun now, or where it stands. `meant` is what its run has to be."""
        body = {"worker": worker, "lease_seconds": lease_seconds, "resume": resume}
        path = f"{API}/runs/{run_id}/attempts"
        run = {"experiment": meant.experiment, "params": _scalars(meant.params)} if meant else None
        return self._post(
            AttemptAnswer, path, body, resumed_from=resumed_from, meant=run, occurred_at=occurred_at
        )

    def attempt(self, run_id: str, attempt: int) -> AttemptAnswer:
        return self._connection.ask(AttemptAnswer, "GET", f"{API}/runs/{run_id}/attempts/{attempt}")

    def heartbeat(
        self, holding: Holding, phase: str | None = None, done: int | None = None, total: int | None = None
    ) -> Heartbeat:
        """Renews the lease. Raises `LeaseLost`."""
        counts = {"done": _count(done), "total": _count(total)}
        return self._tell(Heartbeat, holding, "heartbeat", {}, phase=phase, **counts)

    def params(
        self, holding: Holding, params: Mapping[str, Scalar], *, occurred_at: datetime | None = None
    ) -> Written:
        return self._tell(Written, holding, "params", {"params": _scalars(params)}, occurred_at=occurred_at)

    def environment(
        self, holding: Holding, fields: Mapping[str, Any], *, occurred_at: datetime | None = None
    ) -> Written:
        """`fields` bear the names of `RunEnvironmentRecorded`."""
        return self._tell(Written, holding, "environment", dict(fields), occurred_at=occurred_at)

    def checkpoint(
        self,
        holding: Holding,
        *,
        step: int,
        digest: str,
        size_bytes: int,
        loss: float | None,
        covers: Covers,
        evaluations: Sequence[Evaluated] = (),
        occurred_at: datetime | None = None,
    ) -> Written:
        """A checkpoint whose bytes are there already, with the evaluations of its state."""
        body = {
            "step": step,
            "digest": digest,
            "size_bytes": size_bytes,
            "loss": None if loss is None else spelt(loss),
            "covers": covers,
            "evaluations": [_evaluation(each) for each in evaluations],
        }
        return self._tell(Written, holding, "checkpoints", body, occurred_at=occurred_at)

    def artifact(
        self,
        holding: Holding,
        *,
        path: str,
        digest: str,
        size_bytes: int,
        media_type: str | None = None,
        occurred_at: datetime | None = None,
    ) -> Written:
        """A file whose bytes are there already."""
        body = {"path": path, "digest": digest, "size_bytes": size_bytes}
        return self._tell(Written, holding, "artifacts", body, media_type=media_type, occurred_at=occurred_at)

    def end(self, holding: Holding, ending: Ending) -> Written:
        ending = msgspec.structs.replace(ending, step=_count(ending.step))
        body = msgspec.to_builtins(ending, builtin_types=(datetime,))
        body["metrics"] = {key: spelt(value) for key, value in ending.metrics.items()}
        return self._tell(Written, holding, "end", body)

    def has_blob(self, digest: str) -> bool:
        return self._connection.has(f"{API}/blobs/{digest}")

    def put_blob(self, digest: str, path: Path, on_sent: Callable[[int], None] | None = None) -> None:
        """Upload a file as it is read from the disk; `on_sent` is told of each portion."""
        headers = {"Content-Type": OCTETS, "Content-Length": str(path.stat().st_size)}
        with Told(path, on_sent) if on_sent else path.open("rb", buffering=0) as file:
            self._blobs.ask(BlobWritten, "PUT", f"{API}/blobs/{digest}", file, headers)

    def metrics(
        self,
        holding: Holding,
        batch: int,
        points: MetricsRecorded,
        *,
        version: int | None = None,
        form: Form = "columns",
    ) -> BatchTaken:
        """The batch of this number, which counts from 1; `version` is that of the stream before it.

        Raises `Behind` where another one is next.
        """
        headers = {"Content-Type": MEDIA_TYPES[form], EPOCH: str(holding.epoch)}
        body = encode(form, points, batch, version)
        return self._connection.ask(BatchTaken, "POST", f"{holding.path}/metrics", body, headers)

    def output(self, holding: Holding, start: int, data: bytes) -> Written:
        """The next bytes of the output. Raises `Behind` where they are not the next."""
        headers = {"Content-Type": OCTETS, EPOCH: str(holding.epoch)}
        return self._connection.ask(Written, "POST", f"{holding.path}/output?start={start}", data, headers)

    def _tell(self, kind: type[T], holding: Holding, part: str, body: JsonObject, **more: object) -> T:
        return self._post(kind, f"{holding.path}/{part}", body, {EPOCH: str(holding.epoch)}, **more)

    def _post(
        self, kind: type[T], path: str, body: JsonObject, headers: Mapping[str, str] = {}, **more: object
    ) -> T:
        """`more` are the members that are left out where they are None."""
        whole = body | {name: value for name, value in more.items() if value is not None}
        headers = {"Content-Type": "application/json", **headers}
        return self._connection.ask(kind, "POST", path, msgspec.json.encode(whole), headers)


def moment(time: int) -> datetime | None:
    """A journal's time, in µs since 1970, as the API takes it; None where the clock was so far off that it
    does not: then it counts as happening when it is told."""
    return _EPOCH_0 + timedelta(microseconds=time) if time in TIMES else None


def _count(number: int | None) -> int | None:
    """A step may be any number of 64 bits; how far an attempt is may not, and is told without it then."""
    return number if number is not None and 0 <= number <= LARGEST else None


def _evaluation(found: Evaluated) -> JsonObject:
    return {
        "benchmark_id": found.benchmark_id,
        "scores": found.scores,
        "predictions": found.predictions,
        "items": found.items,
    }


def _scalars(params: Mapping[str, Scalar]) -> dict[str, Scalar]:
    return {key: spelt(value) if isinstance(value, float) else value for key, value in params.items()}
