"""An API over fresh databases, a worker that has announced a recipe, and projections that run when asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient
from sqlalchemy import Engine

from runledger.api.app import create_app
from runledger.api.backend import Backend, backend_over
from runledger.api.settings import ApiSettings
from runledger.projections.runner import Runner
from runledger.tracker.aggregates.registry import AnyCommand
from runledger.tracker.blobs import Blobs
from runledger.tracker.dispatch import Dispatched
from runledger.tracker.envelope import Metadata
from runledger.tracker.ids import WorkerId
from runledger.tracker.spec import JsonObject
from runledger.tracker.store import announcements
from runledger.tracker.store.announcements import Device, RecipeAnnouncement, Worker
from runledger.tracker.store.engine import open_ledger, open_views, write
from tests.conftest import Databases

BASE_URL = "http://127.0.0.1:8600"
DIGEST = "d" * 64

SCHEMA: JsonObject = {
    "type": "object",
    "additionalProperties": False,
    "required": ["data"],
    "properties": {
        "seed": {"type": "integer", "default": 0},
        "steps": {"type": "integer", "minimum": 1, "default": 100},
        "rate": {"type": "number", "default": 0.1},
        "data": {"type": "string", "x-runledger": "dataset"},
        "benchmark": {
            "anyOf": [{"type": "string", "x-runledger": "benchmark"}, {"type": "null"}],
            "default": None,
        },
    },
}
TRAIN: JsonObject = {"generator": "arithmetic", "options": {"items": 20, "split": "train"}}
HELDOUT: JsonObject = {"generator": "arithmetic", "options": {"items": 10, "split": "heldout"}}
PRESETS: dict[str, JsonObject] = {
    "tiny": {
        "spec": {
            "steps": 3,
            "data": TRAIN,
            "benchmark": {"name": "sums", "dataset": HELDOUT, "scorer": "exact_match"},
        }
    }
}
RECIPE = RecipeAnnouncement(
    name="toy", version=1, digest=DIGEST, schema=SCHEMA, presets=PRESETS, description="A toy."
)
LAUNCH: JsonObject = {"experiment": "sums", "recipe": "toy", "preset": "tiny"}


class Api:
    """The API of a test: requests to it, and what other processes would do."""

    def __init__(self, client: TestClient[Any], backend: Backend) -> None:
        self.client = client
        self.backend = backend
        self._runner = Runner(backend.log, backend.views.engine)

    def catch_up(self) -> None:
        """What the projections process does."""
        self._runner.catch_up()

    def command(self, command: AnyCommand) -> Dispatched:
        """What a worker does."""
        return self.backend.dispatcher.dispatch(command, Metadata(actor="worker:w1"))

    def launch(self, **changes: Any) -> str:
        answer = self.client.post("/api/v1/runs", json=LAUNCH | changes)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["run_id"])

    def get(self, path: str, **query: Any) -> Any:
        """The body of a good answer, from read models that have seen everything."""
        self.catch_up()
        answer = self.client.get(f"/api/v1{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()


def announce(engine: Engine, *recipes: RecipeAnnouncement) -> None:
    worker = Worker(worker_id=WorkerId("w1"), recipes=recipes, devices=(Device(kind="cpu"),))
    with write(engine) as conn:
        announcements.announce(conn, worker)


@contextmanager
def serving(urls: tuple[str, str], blobs: Path, **settings: Any) -> Iterator[Api]:
    ledger, views = open_ledger(urls[0]), open_views(urls[1])
    announce(ledger, RECIPE)
    backend = backend_over(ApiSettings(**settings), ledger=ledger, views=views, blobs=Blobs(str(blobs)))
    with TestClient(create_app(backend), base_url=BASE_URL) as client:
        yield Api(client, backend)


@pytest.fixture
def api(sqlite_databases: Databases, tmp_path: Path) -> Iterator[Api]:
    with serving(sqlite_databases.migrated(), tmp_path / "blobs") as api:
        yield api


@pytest.fixture(scope="module")
def shared_api(_sqlite_files: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One for all tests of a module that change nothing."""
    with serving(_sqlite_files.migrated(), tmp_path_factory.mktemp("blobs")) as api:
        yield api


@pytest.fixture
def api_on_each(database_urls: tuple[str, str], tmp_path: Path) -> Iterator[Api]:
    """The same on SQLite and on PostgreSQL."""
    with serving(database_urls, tmp_path / "blobs") as api:
        yield api


@pytest.fixture
def api_with(sqlite_databases: Databases, tmp_path: Path) -> Callable[..., AbstractContextManager[Api]]:
    """An API with settings of the test's own."""
    return lambda **settings: serving(sqlite_databases.migrated(), tmp_path / "blobs", **settings)
