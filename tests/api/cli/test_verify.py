"""`runledger verify`, `seal` and `restored`: their words and exit statuses."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console

from runledger.api.cli import exits
from runledger.api.cli.output import Output
from runledger.api.cli.verify import show_progress
from runledger.tracker.seal.notes import public_key_of
from tests.api.cli.sealed import Installed


@pytest.fixture
def sealed(installed: Installed) -> Installed:
    installed.append(3)
    installed.append(2, "run-b")
    installed.seal()
    installed.append(1)
    return installed


def test_a_log_in_order(sealed: Installed) -> None:
    done = sealed.run("verify")
    assert done.exit_code == exits.OK
    assert f"log {sealed.log.log_id}: 6 events" in done.stdout
    assert "sealed up to 5 at " in done.stdout
    assert "1 events are not sealed yet\nin order\n" in done.stdout


def test_a_log_that_was_never_sealed(installed: Installed) -> None:
    installed.append(2)
    done = installed.run("verify", "--json")
    assert done.exit_code == exits.OK
    found = json.loads(done.stdout)
    assert (found["events"], found["sealed"], found["seals_outside"], found["fault"]) == (2, 0, 0, None)


def test_on_a_terminal_it_shows_how_far_it_is() -> None:
    drawn = io.StringIO()
    output = Output()
    output.console = Console(force_terminal=True, file=drawn, width=100)
    with show_progress(output) as report:
        report(500, 1_000)
    assert "500/1000" in drawn.getvalue()


def test_the_first_fault_is_named(sealed: Installed) -> None:
    sealed.attacker().run("UPDATE events SET actor = 'somebody else' WHERE position = 2")
    done = sealed.run("verify")
    assert done.exit_code == exits.ALTERED
    assert "position 2: its contents are not those that were hashed" in done.stderr

    done = sealed.run("verify", "--json")
    assert done.exit_code == exits.ALTERED
    assert json.loads(done.stdout)["fault"]["position"] == 2


def test_one_run(sealed: Installed) -> None:
    sealed.attacker().run("UPDATE events SET actor = 'somebody else' WHERE position = 2")
    assert sealed.run("verify", "--run", "b").exit_code == exits.OK
    assert "position 2" in sealed.run("verify", "--run", "a").stderr
    assert sealed.run("verify", "--run", "c").exit_code == exits.BAD_USAGE


def test_seals_that_lie_elsewhere_tell_of_what_is_gone(sealed: Installed, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tmp_path / "seals", elsewhere)
    shutil.rmtree(tmp_path / "seals")
    attacker = sealed.attacker()
    attacker.replace_all(attacker.rows()[:3])
    attacker.run("DELETE FROM seals")
    assert sealed.run("verify").exit_code == exits.OK
    for option in ("--seals", "--checkpoints"):
        done = sealed.run("verify", option, elsewhere, "--public-key", sealed.public_key())
        assert done.exit_code == exits.ALTERED
        assert "position 4: it is missing: a seal outside covers 5 events" in done.stderr


def test_where_no_seal_lies_outside_that_is_said(sealed: Installed, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "seals")
    done = sealed.run("verify")
    assert done.exit_code == exits.OK
    assert "no seal was found outside of the database" in done.stdout


def test_seals_are_read_with_a_key(sealed: Installed, tmp_path: Path) -> None:
    public_key = sealed.public_key()
    (tmp_path / "seal.key").unlink()
    done = sealed.run("verify")
    assert done.exit_code == exits.BAD_USAGE
    assert "--public-key" in done.stderr
    assert sealed.run("verify", "--public-key", public_key).exit_code == exits.OK


def test_seals_of_another_key_do_not_hold(sealed: Installed, tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    other.write_text(str(public_key_of(sealed.log.log_id, Ed25519PrivateKey.generate())))
    done = sealed.run("verify", "--public-key", other)
    assert done.exit_code == exits.ALTERED
    assert "position 5: its seal in the database does not hold: not signed by a known key" in done.stderr

    other.write_text("no key")
    assert sealed.run("verify", "--public-key", other).exit_code == exits.SETUP_PROBLEM


def test_the_public_key_is_shown_and_needs_a_key(installed: Installed, tmp_path: Path) -> None:
    done = installed.run("seal", "public-key")
    assert done.exit_code == exits.SETUP_PROBLEM
    assert "seal.key: no such file" in done.stderr

    installed.append(1)
    installed.seal()
    done = installed.run("seal", "public-key")
    assert done.stdout.startswith(f"{installed.log.log_id}+")
    assert (tmp_path / "seal.key").stat().st_mode & 0o777 == 0o600


def test_the_state_of_the_seal(sealed: Installed) -> None:
    assert "sealed up to 5 at " in sealed.run("seal", "status").stdout
    assert ", 1 newer events are not sealed\n" in sealed.run("seal", "status").stdout
    found = json.loads(sealed.run("seal", "status", "--json").stdout)
    assert (found["head"], found["size"], found["problem"]) == (6, 5, None)


def test_nothing_is_sealed_yet(installed: Installed) -> None:
    assert installed.run("seal", "status").stdout == "nothing is sealed yet of 0 events\n"


def test_a_restore_is_told_once_and_stays_visible(sealed: Installed) -> None:
    sealed.seal()
    sealed.append(4)
    assert sealed.run("restored", "--reason", "none").exit_code == exits.REFUSED
    sealed.seal()
    attacker = sealed.attacker()
    attacker.replace_all(attacker.rows()[:7])
    attacker.run("DELETE FROM seals WHERE size > 6")
    assert "position 8: it is missing" in sealed.run("verify").stderr

    done = sealed.run("restored", "--reason", "the disk failed")
    assert done.exit_code == exits.OK
    assert (
        "told at position 8: the seal of 10 events does not hold any more, the one of 6 does" in done.stdout
    )
    sealed.append(5)
    assert sealed.seal() == 1
    done = sealed.run("verify")
    assert done.exit_code == exits.OK
    assert "restored from a backup (the disk failed): 10 events were sealed" in done.stdout
    assert "sealed up to 13" in done.stdout

    sealed.attacker().replace_all(sealed.attacker().rows()[:12])
    sealed.attacker().run("DELETE FROM seals WHERE size > 6")
    assert "position 13: it is missing" in sealed.run("verify").stderr


def test_a_restore_has_a_reason(sealed: Installed) -> None:
    assert sealed.run("restored").exit_code == exits.BAD_USAGE


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--export", "README.md", "--run", "a"), "neither --run nor --seals"),
        (("--export", "README.md"), "needs --public-key"),
        (("--export", "nowhere"), "does not exist"),
    ],
)
def test_what_does_not_go_together(installed: Installed, words: tuple[str, ...], problem: str) -> None:
    done = installed.run("verify", *words)
    assert done.exit_code == exits.BAD_USAGE
    assert problem in done.stderr
