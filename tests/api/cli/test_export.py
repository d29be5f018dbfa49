"""`runledger export`, and its file verified where there is no database."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from runledger.api.cli import exits
from runledger.api.cli.app import runledger
from tests.api.cli.sealed import Installed


def test_a_run_is_exported_and_verified_without_a_database(installed: Installed, tmp_path: Path) -> None:
    installed.append(3)
    installed.append(2, "run-b")
    installed.append(4, "telemetry-a-1")
    installed.seal()
    installed.append(1)
    file, public_key = tmp_path / "a.jsonl", installed.public_key()

    done = installed.run("export", "a", "--to", file)
    assert done.exit_code == exits.OK
    assert "7 events of 2 streams" in done.stdout
    assert "1 newer events of the run are not sealed yet" in done.stdout

    words = ["verify", "--export", str(file), "--public-key", str(public_key)]
    offline = CliRunner().invoke(runledger, words, env={"RUNLEDGER_DATA": "/nowhere"})
    assert offline.exit_code == exits.OK
    assert "run a: 7 events of 2 streams" in offline.stdout
    found = json.loads(CliRunner().invoke(runledger, [*words, "--json"]).stdout)
    assert (found["run_id"], found["sealed"], found["streams"]) == ("a", 9, ["run-a", "telemetry-a-1"])

    file.write_text(file.read_text().replace('"actor":"test"', '"actor":"tset"', 1))
    damaged = CliRunner().invoke(runledger, words)
    assert damaged.exit_code == exits.ALTERED
    assert "a.jsonl: line 2: its contents are not those that were hashed" in damaged.stderr


def test_a_file_that_cannot_be_written_is_named(installed: Installed, tmp_path: Path) -> None:
    installed.append(1)
    installed.seal()
    done = installed.run("export", "a", "--to", tmp_path / "nowhere" / "a.jsonl")
    assert done.exit_code == exits.BAD_USAGE
    assert "nowhere/a.jsonl: no such file or directory" in done.stderr


def test_what_is_not_sealed_or_not_there(installed: Installed, tmp_path: Path) -> None:
    installed.append(1)
    assert installed.run("export", "a").exit_code == exits.SETUP_PROBLEM
    installed.seal()
    installed.append(1, "run-b")
    assert installed.run("export", "b", "--to", tmp_path / "b").exit_code == exits.REFUSED
    assert installed.run("export", "c", "--to", tmp_path / "c").exit_code == exits.BAD_USAGE
    assert not list(tmp_path.glob("*[bc]*.part"))


def test_a_log_that_is_not_in_order_is_not_exported(installed: Installed, tmp_path: Path) -> None:
    installed.append(3)
    installed.seal()
    installed.attacker().run("UPDATE events SET actor = 'x' WHERE position = 2")
    done = installed.run("export", "a", "--to", tmp_path / "a")
    assert done.exit_code == exits.ALTERED
    assert "position 2" in done.stderr
    assert not (tmp_path / "a").exists()
