"""Somebody's package with a recipe and a scorer, built, installed apart from ours and trained over REST."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import httpx
import msgspec
import numpy as np
import pytest
from PIL import Image

from tests.system.conftest import Install
from tests.system.installation import ROOT, Installation
from tests.system.test_docs import run as run_page

DIGITS = ROOT / "examples" / "digits"
LEAST_ACCURACY = 0.95

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the package as a wheel installs it; no index is asked."""
    folder = tmp_path_factory.mktemp("digits")
    options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    pip(["wheel", *options, "--no-build-isolation", "--wheel-dir", str(folder), str(DIGITS)])
    (wheel,) = folder.glob("digits-*.whl")
    pip(["install", *options, "--target", str(folder / "site"), str(wheel)])
    return folder / "site"


def pip(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def with_package(folder: Path) -> dict[str, str]:
    """The environment of an interpreter that has the package installed."""
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


def heldout(installation: Installation) -> bytes:
    """What `python -m digits.heldout` prints."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "digits.heldout"],
        env=installation.environment,
        capture_output=True,
        timeout=120,
        check=True,
    ).stdout


def define_benchmark(installation: Installation, api: httpx.Client) -> str:
    uploaded = api.post(
        "/datasets/uploads",
        params={"name": "digits held out", "format": "traces"},
        content=heldout(installation),
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert uploaded.status_code == 201, uploaded.text
    described = {"name": "digits", "dataset": uploaded.json()["digest"], "scorer": "reciprocal_rank"}
    defined = api.post("/benchmarks", json=described)
    assert defined.status_code == 201, defined.text
    return str(defined.json()["benchmark_id"])


def test_a_recipe_of_a_package_apart_is_trained_and_scored(installed: Path, install: Install) -> None:
    installation = install(with_package(installed), "--no-mlflow")
    ledger = installation.client
    with httpx.Client(base_url=f"{installation.url}/api/v1", timeout=30) as api:
        (recipe,) = (each for each in ledger.recipes() if each.name == "digits")
        assert recipe.schema["$defs"]["Spec"]["properties"]["dropout"] == {
            "type": "number",
            "minimum": 0,
            "exclusiveMaximum": 1,
            "default": 0.1,
            "description": "Share of hidden units that is left out of each step.",
        }
        (scorer,) = (each for each in ledger.scorers() if each.name == "reciprocal_rank")
        assert {"digits", "lm"} <= set(scorer.recipes)
        benchmark = define_benchmark(installation, api)

        launched = ledger.launch(
            "digits", experiment="digits", preset="small", spec={"benchmark": benchmark, "steps": 600}
        )
        run = ledger.wait(launched.run_id, timeout_seconds=240)

        assert run.status == "completed", run.failure
        accuracy = float(run.final_metrics["eval/accuracy"])
        assert accuracy >= LEAST_ACCURACY
        assert ledger.series(run.run_id, "train/loss").step == list(range(1, 601))
        assert [saved.step for saved in ledger.checkpoints(run.run_id)] == [200, 400, 600]

        evaluations = {found.step: found for found in ledger.evaluations(run.run_id)}
        assert set(evaluations) == {200, 400, 600}
        (score,) = evaluations[600].scores
        assert (score.name, score.count, score.unscored, score.method) == (
            "reciprocal_rank",
            360,
            0,
            "bootstrap",
        )
        assert accuracy < float(score.value) == float(run.final_metrics["eval/reciprocal_rank"])
        assert score.low is not None
        assert float(score.low) < float(score.value) < 1.0

        kept = {each.path: each for each in ledger.artifacts(run.run_id)}
        assert {path: each.media_type for path, each in kept.items()} == {
            "misread.png": "image/png",
            "confusion.jsonl": "application/x-ndjson",
        }
        misread, table = (read_blob(api, kept[path].digest) for path in ("misread.png", "confusion.jsonl"))
        picture = np.asarray(Image.open(io.BytesIO(misread)))
        assert (picture.shape[0], picture.dtype) == (64, np.uint8)
        rows = [msgspec.json.decode(line) for line in table.splitlines()]
        assert sum(row[f"read_as_{row['digit']}"] for row in rows) == round(accuracy * 360)

        environment = run.attempts[-1].environment
        assert environment is not None
        assert environment.flags["scorer reciprocal_rank 1"] == scorer.digest
        unknown = api.post("/benchmarks", json={"name": "b", "dataset": "0" * 64, "scorer": "taste"})
        assert unknown.status_code == 422
        assert "reciprocal_rank 1" in unknown.text


def read_blob(api: httpx.Client, digest: str) -> bytes:
    answer = api.get(f"/blobs/{digest}")
    assert answer.status_code == 200, answer.text
    return answer.content


def test_the_how_to_can_be_followed(installed: Path, install: Install, tmp_path: Path) -> None:
    installation = install(with_package(installed), "--no-mlflow")
    done_already = {"runledger recipe new digits", "pip install --no-deps --no-build-isolation -e digits"}
    run_page(
        "how-to/write-a-recipe.md",
        installation.port,
        installation.environment,
        tmp_path,
        frozenset(done_already),
    )
    (run,) = installation.client.runs()
    assert run.status == "completed"
    told = msgspec.json.decode((tmp_path / "first" / "rehearsal.json").read_bytes())
    assert installation.client.run(run.run_id).spec.values == told["values"]


def test_it_is_tried_without_a_server(installed: Path, tmp_path: Path) -> None:
    environment = {**os.environ, **with_package(installed)}
    items = subprocess.run(
        [sys.executable, "-P", "-m", "digits.heldout"], env=environment, capture_output=True, check=True
    )
    (tmp_path / "heldout.jsonl").write_bytes(items.stdout)
    benchmark = '{"name":"digits","dataset":{"file":"heldout.jsonl"},"scorer":"reciprocal_rank"}'
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "runledger.api.cli", "try", "digits:small", "--json"),
            *("--set", f"benchmark={benchmark}"),
        ],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = msgspec.json.decode(done.stdout)
    assert told["metrics"]["eval/accuracy"] >= LEAST_ACCURACY
    assert set(told["artifacts"]) == {"misread.png", "confusion.jsonl"}
    assert told["evaluations"][-1]["scores"][0]["name"] == "reciprocal_rank"
