"""Writes the pages of `docs/reference` that are read off the code: settings, commands, routes, errors.

`python docs/build_reference.py` writes them, a test compares them with what stands there. The pages of
events and words are written by hand; another test holds the events to the catalogue.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
from litestar import Router
from litestar.handlers import HTTPRouteHandler

from runledger.api.app import API
from runledger.api.cli.app import runledger
from runledger.api.cli.exits import EXIT_STATUSES
from runledger.api.cli.settings import ClientSettings, UpSettings
from runledger.api.courier.settings import CourierSettings
from runledger.api.http.problems import STATUS
from runledger.api.rest import UNVERSIONED, VERSIONED
from runledger.api.settings import ApiSettings
from runledger.api.tracking.settings import TrackingSettings
from runledger.migrations.roles import RoleSettings
from runledger.projections.mlflow.settings import MlflowSettings
from runledger.projections.runner import ProjectionSettings
from runledger.tracker.metrics_endpoint import MetricsSettings
from runledger.tracker.seal.settings import SealSettings
from runledger.tracker.settings import PREFIX, CodeSettings, StorageSettings
from runledger.trainer.settings import TrainerSettings

PAGES = Path(__file__).parent / "reference"
NOTICE = "Read off the code by `docs/build_reference.py`."
SETTINGS_READ = """\
All settings are variables of the environment, read once when a process starts. An empty one counts as
absent; one that is missing or does not fit stops the process, and the message names it. Lists are
separated by commas."""
ROUTES_DESCRIBED = """\
The whole description, with a schema and an example of every body, is served as OpenAPI 3.1 at
`/schema/openapi.json`. Every error is a problem detail (`application/problem+json`), see
[Errors](errors.md)."""
ERRORS_TOLD = """\
What each package raises on purpose. The status is that of the API's answer, whose `type` ends in the
error's name; an error without one never leaves its process."""

PREFIXES = {ProjectionSettings: "RUNLEDGER_PROJECTIONS_"}
SETTINGS: tuple[tuple[str, type[msgspec.Struct]], ...] = (
    ("Every process", StorageSettings),
    ("Every process that serves its numbers to Prometheus on a port of its own", MetricsSettings),
    ("API", ApiSettings),
    ("Worker", TrainerSettings),
    ("Workers, and programs that call `runledger.run`", CodeSettings),
    ("Projections", ProjectionSettings),
    ("The log's seal: projections, `runledger verify`, `export`, `seal` and `restored`", SealSettings),
    ("MLflow sink", MlflowSettings),
    ("`runledger migrate --roles`", RoleSettings),
    ("Commands that speak to the API", ClientSettings),
    ("`runledger up` and `runledger demo`", UpSettings),
    ("Programs that call `runledger.run`", TrackingSettings),
    ("Their couriers, and `runledger sync`", CourierSettings),
)


def settings() -> str:
    lines = ["# Settings", "", NOTICE, "", SETTINGS_READ, ""]
    for title, kind in SETTINGS:
        lines += [f"## {title}", "", "| variable | default | meaning |", "|---|---|---|"]
        meanings = field_docstrings(kind)
        for field in msgspec.structs.fields(kind):
            default = "required" if field.required else show(field.default)
            meaning = " ".join(meanings.get(field.name, "").split())
            variable = PREFIXES.get(kind, PREFIX) + field.name.upper()
            lines.append(f"| `{variable}` | {default} | {meaning} |")
        lines.append("")
    return "\n".join(lines)


def show(default: object) -> str:
    return "" if default in (None, "", ()) else f"`{default}`"


def field_docstrings(kind: type) -> dict[str, str]:
    """The string below each annotated field of a class."""
    body = ast.parse(inspect.getsource(kind)).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match after:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    found[field.target.id] = text
    return found


def commands() -> str:
    lines = ["# Commands", "", NOTICE, ""]
    for context in walk(runledger, None):
        lines += [f"## {context.command_path}", "", "```text"]
        lines += [*(line.rstrip() for line in context.command.get_help(context).splitlines()), "```", ""]
    lines += ["## Exit statuses", "", "| status | meaning |", "|---|---|"]
    lines += [f"| {status} | {meaning} |" for status, meaning in EXIT_STATUSES.items()]
    return "\n".join([*lines, ""])


def walk(command: click.Command, parent: click.Context | None) -> Iterator[click.Context]:
    """Each command in the context in which the shell would reach it."""
    settings = command.context_settings | {"max_content_width": 100, "terminal_width": 100}
    context = click.Context(command, parent, command.name, **settings)
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from walk(below, context)


def routes() -> str:
    lines = ["# Routes", "", NOTICE, "", ROUTES_DESCRIBED, ""]
    lines += ["| method | path | what it does |", "|---|---|---|"]
    routers = [Router(API, route_handlers=VERSIONED), Router("/", route_handlers=UNVERSIONED)]
    found = {
        (route.path, method, summary(handler))
        for router in routers
        for route in router.routes
        for handler in route.route_handlers
        if isinstance(handler, HTTPRouteHandler)
        for method in handler.http_methods
        if method not in ("OPTIONS", "HEAD")
    }
    rows = sorted((re.sub(":[a-z]+}", "}", path), method, text) for path, method, text in found)
    lines += [f"| {method} | `{path}` | {text} |" for path, method, text in rows]
    return "\n".join([*lines, ""])


def summary(handler: HTTPRouteHandler) -> str:
    docstring = inspect.getdoc(handler.fn) or ""
    more = " ".join(docstring.partition("\n\n")[0].split())
    return ": ".join(text for text in (handler.summary, more) if text)


def errors() -> str:
    lines = ["# Errors", "", NOTICE, "", ERRORS_TOLD, ""]
    for package in ("tracker", "trainer", "projections", "api"):
        lines += [f"## {package}", "", "| error | kind of | status | meaning |", "|---|---|---|---|"]
        for error in sorted(exceptions(package), key=lambda kind: (kind.__module__, kind.__qualname__)):
            parent = error.__bases__[0].__name__
            meaning = " ".join((error.__doc__ or "").partition("\n\n")[0].split())
            lines.append(
                f"| `{error.__module__}.{error.__name__}` | `{parent}` | {status(error)} | {meaning} |"
            )
        lines.append("")
    return "\n".join(lines)


def status(error: type[BaseException]) -> str:
    found = next((STATUS[kind] for kind in error.__mro__ if kind in STATUS), None)
    return str(found) if found else ""


def exceptions(package: str) -> set[type[BaseException]]:
    found: set[type[BaseException]] = set()
    root = importlib.import_module(f"runledger.{package}")
    for module_info in pkgutil.walk_packages(root.__path__, f"{root.__name__}."):
        if module_info.name.endswith("__main__"):
            continue
        module: Any = importlib.import_module(module_info.name)
        found |= {
            value
            for value in vars(module).values()
            if inspect.isclass(value)
            and issubclass(value, BaseException)
            and value.__module__ == module.__name__
        }
    return found


GENERATED = {"settings.md": settings, "commands.md": commands, "routes.md": routes, "errors.md": errors}


def main() -> None:
    for name, build in GENERATED.items():
        (PAGES / name).write_text(build())


if __name__ == "__main__":
    main()
