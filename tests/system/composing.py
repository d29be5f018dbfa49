"""compose.yaml without an engine: read as Compose reads it, its commands run as processes of this machine.

What an engine adds is replaced, and nothing else: names of hosts, ports and databases by those of the test,
volumes by folders, our image by the virtual environment. A process gets the environment of its service and
no more.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from runledger.api.cli.preflight import free_port
from tests.system.installation import ROOT, until

Service = dict[str, Any]
OURS = "runledger:0.1.0"
_PLACE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?P<how>:?[-?])?)")


class Missing(Exception):
    """A variable that has to be given; Compose stops with its name and these words."""


def interpolate(text: str, environ: Mapping[str, str]) -> str:
    """`${A}`, `${A-or}`, `${A:-or}`, `${A:?words}`, with variables within, and `$$`. Raises `Missing`."""
    out, at = "", 0
    while found := _PLACE.search(text, at):
        out += text[at : found.start()]
        if found["name"] is None:
            out, at = out + "$", found.end()
            continue
        end = _closing(text, found.end())
        out += _value(found["name"], found["how"], text[found.end() : end], environ)
        at = end + 1
    return out + text[at:]


def _closing(text: str, at: int) -> int:
    depth = 1
    while True:
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if not depth:
            return at
        at += 1


def _value(name: str, how: str | None, rest: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name)
    is_given = bool(value) if how and how.startswith(":") else value is not None
    if is_given:
        return value or ""
    if how and how.endswith("?"):
        raise Missing(name, rest)
    return interpolate(rest, environ) if how else ""


def read(environ: Mapping[str, str], path: Path = ROOT / "compose.yaml") -> dict[str, Any]:
    """The whole file with its variables filled in."""
    return _filled(yaml.safe_load(path.read_text()), environ)  # type: ignore[no-any-return]


def _filled(node: Any, environ: Mapping[str, str]) -> Any:
    match node:
        case str():
            return interpolate(node, environ)
        case dict():
            return {key: _filled(value, environ) for key, value in node.items()}
        case list():
            return [_filled(value, environ) for value in node]
        case _:
            return node


class Stack:
    """The services of compose.yaml as processes; ended by `close`."""

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        rename: Callable[[str], str],
        overridden: Mapping[str, Mapping[str, str]],
    ) -> None:
        """`rename` puts names of here in the place of those of an engine's network; so does `overridden`,
        by service, in their environment."""
        self.folder = folder
        self.services: dict[str, Service] = read(environ)["services"]
        self.ports = {name: free_port() for name in ("api", "mlflow", "redis")}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._environ = environ
        self._rename = rename
        self._overridden = overridden
        self._metrics = {name: free_port() for name in self.services}

    def words(self, name: str, command: Sequence[str] | None = None) -> list[str]:
        """What the container of a service executes; with another command, as `compose run` would."""
        service = self.services[name]
        entrypoint = service.get("entrypoint") or (["runledger"] if service["image"] == OURS else [])
        given = service.get("command", []) if command is None else command
        words = [self._here(name, word) for word in (*entrypoint, *given)]
        program = {"python": sys.executable, "runledger": str(Path(sys.executable).with_name("runledger"))}
        return [program.get(words[0], words[0]), *words[1:]]

    def environment(self, name: str) -> dict[str, str]:
        """That of its service; beside it only what its image brings with it."""
        given = {
            variable: self._environ.get(variable) if value is None else str(value)
            for variable, value in self.services[name].get("environment", {}).items()
        }
        image = {"PATH": os.environ["PATH"], "HOME": str(self._volume(name, "/data")), "PYTHONSAFEPATH": "1"}
        if self.services[name]["image"] == OURS:
            image["PYTHONPATH"] = str(ROOT)
        here = {key: self._here(name, value) for key, value in given.items() if value is not None}
        return image | here | dict(self._overridden.get(name, {}))

    def run(
        self, name: str, *command: str, entrypoint: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A job of the service, as `docker compose run --rm NAME …`."""
        words = self.words(name, command or None)
        if entrypoint is not None:
            words = [str(Path(sys.executable).with_name(entrypoint)), *command]
        return self._call(name, words, 120)

    def start(self, name: str) -> None:
        """Once everything that it depends on is as it has to be."""
        for other, condition in self.services[name].get("depends_on", {}).items():
            self._await(other, condition["condition"])
        output = self.folder / f"{name}.log"
        with output.open("wb") as file:
            self.running[name] = subprocess.Popen(
                self.words(name),
                env=self.environment(name),
                cwd=self._home(name),
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    def check(self, name: str) -> subprocess.CompletedProcess[str]:
        """Its health check."""
        kind, *words = self.services[name]["healthcheck"]["test"]
        words = [self._here(name, word) for word in words]
        program = {"python": sys.executable}
        found = ["sh", "-c", *words] if kind == "CMD-SHELL" else [program.get(words[0], words[0]), *words[1:]]
        return self._call(name, found, 60)

    def await_health(self, name: str) -> None:
        def is_healthy() -> bool:
            ended = self.running[name].poll() if name in self.running else None
            assert ended is None, f"{name} has ended with {ended}:\n{self.said(name)}"
            return self.check(name).returncode == 0

        until(is_healthy, 120, f"{name} to be healthy", every=0.5)

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def stop(self, name: str) -> int:
        """As `docker compose stop`; what has not ended in time is killed and fails the test."""
        process = self.running.pop(name)
        process.terminate()
        seconds = int(str(self.services[name].get("stop_grace_period", "10s")).removesuffix("s"))
        try:
            return process.wait(timeout=max(seconds, 30))
        finally:
            process.kill()

    def close(self) -> None:
        for name in reversed(list(self.running)):
            self.running[name].kill()
            self.running[name].wait()

    def _await(self, name: str, condition: str) -> None:
        if condition == "service_completed_successfully":
            assert name in self.done, f"{name} was not run before"
        else:
            self.await_health(name)

    @property
    def done(self) -> set[str]:
        """Jobs that have been run to their end."""
        return {name for name in self.services if (self.folder / f"{name}.done").exists()}

    def job(self, name: str) -> str:
        """A service that ends by itself. What it said."""
        for other, condition in self.services[name].get("depends_on", {}).items():
            self._await(other, condition["condition"])
        ended = self.run(name)
        assert ended.returncode == 0, ended.stderr
        (self.folder / f"{name}.done").touch()
        return ended.stdout

    def _call(self, name: str, words: list[str], seconds: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            env=self.environment(name),
            cwd=self._home(name),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def _home(self, name: str) -> Path:
        return self._volume(name, "/data")

    def _volume(self, name: str, target: str) -> Path:
        """The folder that stands for what is mounted there, or for the container's own."""
        mounted = dict(reversed(mount.split(":")[:2]) for mount in self.services[name].get("volumes", []))
        path = self.folder / "volumes" / mounted.get(target, f"{name}{target.replace('/', '-')}")
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _here(self, name: str, text: str) -> str:
        text = self._rename(text)
        for target in ("/data", "/blobs"):
            text = re.sub(rf"(?<![\w.-]){target}(?=/|$)", str(self._volume(name, target)), text)
        text = text.replace("9464", str(self._metrics[name]))
        text = re.sub(r"redis:6379", f"127.0.0.1:{self.ports['redis']}", text)
        text = re.sub(r"http://mlflow:5000", f"http://127.0.0.1:{self.ports['mlflow']}", text)
        if name in self.ports:
            own = str(self.ports[name])
            text = re.sub(r"(?<=127\.0\.0\.1:)(5000|8600)\b|(?<=--port=)5000\b|^8600$", own, text)
            text = re.sub(r"redis-server -\s", f"redis-server - --port {own} ", text)
            text = text.replace("redis-cli ", f"redis-cli -p {own} ")
        return text
