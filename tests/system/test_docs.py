"""The console snippets of the documentation, run as they stand against a whole Runledger."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.conftest import Install

DOCS = Path(__file__).parents[2] / "docs"

GIVEN = {"make install", ". .venv/bin/activate", "runledger up", "createdb runledger"}
"""What the fixtures have done already."""
SHORTER = (
    ('"preset": "arithmetic",', '"preset": "arithmetic", "spec": {"training": {"steps": 60}},'),
    ("--preset arithmetic", "--preset arithmetic --set training.steps=400"),
)
"""The same launches, but not for minutes."""
OWN_SCRIPT = "how-to/track-your-own-script.md"
FOLLOWED = [
    "tutorial/first-run.md", "how-to/bring-your-own-data.md", "how-to/secure-the-api.md", OWN_SCRIPT
]  # fmt: skip
SUMS = '{"prompt": "12+34=", "steps": ["2+4=6", "1+3=4"], "answer": "46"}\n'

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]


def snippets(page: str) -> list[str]:
    """The commands behind `$`, continuation lines joined to them."""
    blocks = re.findall(r"```console\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def own_script() -> str:
    """`train.py` as its page has it."""
    found = re.search(r"```python\n(.*?)```", (DOCS / OWN_SCRIPT).read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def run(
    page: str, port: int, environment: dict[str, str], cwd: Path, given: frozenset[str] = frozenset()
) -> None:
    """All commands of the page in one shell, but for those given; it ends at the first that fails."""
    commands = [command for command in snippets(page) if command not in {*GIVEN, *given}]
    assert commands
    script = "\n".join(["set -euo pipefail", *commands]).replace("127.0.0.1:8600", f"127.0.0.1:{port}")
    for here, there in SHORTER:
        script = script.replace(here, there)
    script = re.sub(r"\bcurl -sS\b", "curl -sS --fail-with-body", script)
    path = f"{Path(sys.executable).parent}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=cwd,
        env={**environment, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", FOLLOWED)
def test_a_page_can_be_followed(page: str, install: Install, tmp_path: Path) -> None:
    installation = install({}, "--no-mlflow")
    (tmp_path / "sums.jsonl").write_text(SUMS)
    (tmp_path / "train.py").write_text(own_script())
    run(page, installation.port, installation.environment, tmp_path)


def test_every_page_with_snippets_is_run_or_needs_what_is_not_here() -> None:
    pages = {
        page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md") if "```console" in page.read_text()
    }
    elsewhere = {
        "how-to/write-a-recipe.md",  # tests/system/test_own_recipe.py, with its package installed
        "how-to/run-on-postgresql.md",  # tests/system runs on both pairs of database and broker
        "how-to/verify-the-log.md",  # tests/system/test_sealing.py
        "how-to/back-up-and-restore.md",  # tests/system/test_backup.py
        "how-to/upgrade.md",  # tests/migrations
        "how-to/use-your-own-mlflow.md",  # a name that stands for somebody's server
    }
    assert pages == set(FOLLOWED) | elsewhere
