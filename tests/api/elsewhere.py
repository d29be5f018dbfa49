"""Somebody who executes a run elsewhere, and speaks to the API over HTTP alone."""

from __future__ import annotations

from typing import Any

import httpx

from runledger.tracker.blobs import digest_of
from runledger.tracker.ids import RunId, new_id, run_stream
from runledger.tracker.store import leases
from runledger.tracker.store.engine import read
from runledger.trainer.reconciler import Reconciler
from tests.api.conftest import Api

HOUR = 3_600.0
BYTES = {"Content-Type": "application/octet-stream"}


class Executor:
    """One process: `worker` names it, `epoch` is the one of its lease."""

    def __init__(self, api: Api, run_id: str | None = None, worker: str = "node-1") -> None:
        self.api = api
        self.run_id = run_id or new_id()
        self.worker = worker
        self.attempt = 0
        self.epoch = 0

    def request(self, **more: Any) -> httpx.Response:
        body = {"run_id": self.run_id, "experiment": "own", "params": {"rate": 0.1}} | more
        return self.api.client.post("/api/v1/runs/external", json=body)

    def ask(self, **more: Any) -> httpx.Response:
        """Start the attempt, or go on with it."""
        answer = self.api.client.post(
            f"/api/v1/runs/{self.run_id}/attempts", json={"worker": self.worker} | more
        )
        if answer.status_code < 300:
            self.attempt, self.epoch = answer.json()["attempt"], answer.json()["epoch"]
        return answer

    def start(self, **more: Any) -> dict[str, Any]:
        answer = self.ask(**more)
        assert answer.status_code in (200, 201), answer.text
        found: dict[str, Any] = answer.json()
        return found

    def tell(self, part: str, epoch: int | None = None, **body: Any) -> httpx.Response:
        headers = {"X-Lease-Epoch": str(self.epoch if epoch is None else epoch)}
        path = f"/api/v1/runs/{self.run_id}/attempts/{self.attempt}/{part}"
        return self.api.client.post(path, json=body, headers=headers)

    def good(self, part: str, **body: Any) -> dict[str, Any]:
        answer = self.tell(part, **body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def put(self, content: bytes) -> str:
        digest = digest_of(content)
        answer = self.api.client.put(f"/api/v1/blobs/{digest}", content=content, headers=BYTES)
        assert answer.status_code in (200, 201), answer.text
        return digest

    def checkpoint(self, step: int, content: bytes, **more: Any) -> httpx.Response:
        body = {"step": step, "digest": self.put(content), "size_bytes": len(content)}
        return self.tell("checkpoints", **(body | {"covers": {"version": 0, "offset": 0}} | more))

    def show(self) -> dict[str, Any]:
        """The run, from read models that have seen everything."""
        found: dict[str, Any] = self.api.get(f"/runs/{self.run_id}")
        return found

    def tags(self) -> list[str]:
        return [recorded.type for recorded in self.api.backend.log.read(run_stream(RunId(self.run_id)))]

    def fall_silent(self) -> None:
        """For longer than its lease allows, while a reconciler watches."""
        stream = run_stream(RunId(self.run_id))
        assert leases.renew(self.api.backend.ledger, stream, self.epoch, -1.0)
        backend = self.api.backend
        Reconciler(
            backend.log, backend.dispatcher, lambda row: None, lease_seconds=HOUR, resend_seconds=HOUR
        ).step()

    def is_held(self) -> bool:
        with read(self.api.backend.ledger) as conn:
            lease = leases.get(conn, run_stream(RunId(self.run_id)))
        return lease is not None and lease.holder is not None


def begun(api: Api, **more: Any) -> Executor:
    """A run that is executing."""
    executor = Executor(api)
    assert executor.request(**more).status_code == 201
    executor.start()
    return executor


def kind_of(answer: httpx.Response) -> str:
    """The name of a problem."""
    return str(answer.json()["type"].rpartition(":")[2])
