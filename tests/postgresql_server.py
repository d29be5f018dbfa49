"""A PostgreSQL server of a test's own, which may be stopped, killed and frozen without harm to others."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from runledger.api.cli.preflight import free_port
from tests.conftest import missing

FOLDERS = "/usr/lib/postgresql/*/bin"
USER = "postgres"
"""PostgreSQL refuses to run as root."""


def programs() -> Path:
    """Where `initdb` and `pg_ctl` are; the test is skipped, or fails where CI is set, without them."""
    found = shutil.which("initdb") or next(
        (str(path / "initdb") for path in sorted(Path("/").glob(FOLDERS[1:]), reverse=True)), None
    )
    if found is None:
        missing("initdb of PostgreSQL")
    return Path(found).parent


class PostgresqlServer:
    """Started and stopped at will; `remove` ends it and leaves nothing."""

    def __init__(self) -> None:
        self._programs = programs()
        self._as = {"user": USER, "group": pwd.getpwnam(USER).pw_gid} if os.geteuid() == 0 else {}
        self._folder = Path(tempfile.mkdtemp(prefix="runledger-postgresql-"))
        if self._as:
            shutil.chown(self._folder, USER)
        self._data = self._folder / "data"
        self.port = free_port()
        self.url = f"postgresql://root@127.0.0.1:{self.port}/postgres"
        self._run("initdb", "--auth=trust", "--username=root", "--no-sync", str(self._data))

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k {self._folder} -c fsync=off -c shared_buffers=16MB"
        log = str(self._folder / "log")
        self._run("pg_ctl", "start", "-w", "-D", str(self._data), "-o", options, "-l", log)

    def stop(self) -> None:
        """At once, as a machine that fails."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self._data))

    def remove(self) -> None:
        if (self._data / "postmaster.pid").exists():
            self.thaw()
            self.stop()
        shutil.rmtree(self._folder)

    def freeze(self) -> None:
        """Nobody is refused, and nobody is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        postmaster = int((self._data / "postmaster.pid").read_text().splitlines()[0])
        own = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(postmaster)], capture_output=True, text=True, check=False
        )
        for pid in (postmaster, *map(int, own.stdout.split())):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(
            [str(self._programs / program), *words],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=120,
            **self._as,
        )
