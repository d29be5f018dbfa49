"""A run whose blobs lie in a bucket: killed in the middle, it resumes from the checkpoint that lies there."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import httpx
import pytest

from tests.system.conftest import Install
from tests.system.installation import until
from tests.system.requests import toy
from tests.tracker.bucket import Bucket, serving

pytestmark = pytest.mark.system


@pytest.fixture
def bucket() -> Iterator[tuple[Bucket, dict[str, str]]]:
    """And the environment by which every process reaches it."""
    with serving() as (made, address):
        credentials = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
        boto3.client(
            "s3",
            endpoint_url=address,
            region_name="us-east-1",
            **{name.lower(): value for name, value in credentials.items()},
        ).create_bucket(Bucket=Bucket.name)
        region = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": address}
        yield made, {"RUNLEDGER_BLOBS_URL": f"s3://{Bucket.name}/runledger", **credentials, **region}


def test_a_checkpoint_is_saved_to_and_resumed_from_a_bucket(
    bucket: tuple[Bucket, dict[str, str]], install: Install
) -> None:
    made, environment = bucket
    installation = install(environment, "--no-mlflow")
    ledger = installation.client
    launched = ledger.launch(**toy(steps=60, step_seconds=0.1))
    until(lambda: [saved for saved in ledger.checkpoints(launched.run_id) if saved.step], what="a checkpoint")

    installation.kill("attempt")
    run = ledger.wait(launched.run_id, timeout_seconds=120)

    assert (run.status, run.step) == ("completed", 60)
    origin = run.attempts[1].resumed_from
    assert origin is not None
    assert origin.step > 0
    path = f"/{Bucket.name}/runledger/{origin.digest[:2]}/{origin.digest}"
    assert any(request.startswith(f"PUT {path}") for request in made.requests)
    assert any(request.startswith(f"GET {path}") for request in made.requests)
    assert not (installation.data / "blobs").exists()
    whole = httpx.get(f"{installation.url}/api/v1/blobs/{origin.digest}")
    part = httpx.get(f"{installation.url}/api/v1/blobs/{origin.digest}", headers={"Range": "bytes=3-9"})
    assert (part.status_code, part.content) == (206, whole.content[3:10])
    assert b"step 60" in ledger.logs(run.run_id)
