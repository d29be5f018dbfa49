"""Which recipes and scorers a worker would find here, and what is wrong with the others.

Asked of the process that a worker asks, `python -P -m runledger.trainer.recipes`: nothing of `trainer` and
nothing of foreign packages is imported here.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import msgspec

from runledger.api.cli.exits import SetupProblem
from runledger.tracker.settings import load

PATIENCE_SECONDS = 120.0


class References(msgspec.Struct, frozen=True, kw_only=True):
    """As a worker's settings have them, in addition to the entry points."""

    recipes: tuple[str, ...] = ()
    scorers: tuple[str, ...] = ()


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe or a scorer, or why what was referred to is none."""

    reference: str
    name: str = ""
    version: int = 0
    problem: str | None = None

    def in_words(self) -> str:
        return f"{self.name} {self.version}" if self.problem is None else f"{self.reference}: {self.problem}"


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    recipes: tuple[Found, ...]
    scorers: tuple[Found, ...]


def look(environ: Mapping[str, str]) -> Installed:
    """Raises `SetupProblem` where foreign code ends the process that looks, or holds it up."""
    command = [sys.executable, "-P", "-X", "faulthandler", "-m", "runledger.trainer.recipes"]
    asked = msgspec.json.encode(load(References, environ))
    try:
        done = subprocess.run(
            command, input=asked, env=environ, capture_output=True, timeout=PATIENCE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise SetupProblem(f"not found after {PATIENCE_SECONDS:g} s: {_tail(late.stderr)}") from None
    if done.returncode != 0:
        raise SetupProblem(f"looking for them ended with status {done.returncode}: {_tail(done.stderr)}")
    return msgspec.json.decode(done.stdout, type=Installed)


def _tail(output: bytes | None) -> str:
    return (output or b"").decode(errors="replace").strip()[-1000:]
