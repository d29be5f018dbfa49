"""The pages on operating Runledger name only commands, options, settings, services and files that exist."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import textwrap
import tomllib
from pathlib import Path

import click
import pytest
import yaml

from runledger.api.cli.app import runledger
from tests.docs.test_reference import build_reference
from tests.system.composing import read

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "docs/how-to" / f"{name}.md"
    for name in (
        "deploy",
        "upgrade",
        "back-up-and-restore",
        "train-on-gpus-and-tpus",
        "run-workers-on-several-machines",
        "keep-blobs-in-a-bucket",
        "run-on-postgresql",
    )
]
COMPOSE = (ROOT / "compose.yaml").read_text()
by_name = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def settings() -> set[str]:
    """Every variable that some process reads, and those that compose.yaml asks for."""
    reference = build_reference()
    read = {
        reference.PREFIXES.get(kind, reference.PREFIX) + field.upper()
        for _, kind in reference.SETTINGS
        for field in kind.__struct_fields__
    }
    return read | set(re.findall(r"\$\{(\w+)", COMPOSE))


@by_name
def test_every_variable_is_a_setting(page: Path) -> None:
    named = set(re.findall(r"\bRUNLEDGER_[A-Z_]+[A-Z]\b", page.read_text()))
    assert sorted(named - settings()) == []


@by_name
def test_every_command_and_option_exists(page: Path) -> None:
    for words in re.findall(
        r"(?:^\s*|[`$;] |`|=\S+ )runledger ([a-z][^`\n|]*)", page.read_text(), re.MULTILINE
    ):
        unknown(words.split())


def unknown(words: list[str]) -> None:
    """Follows the words of a command line as far as they are commands; then every option must be its own."""
    command: click.Command = runledger
    context = click.Context(command)
    while isinstance(command, click.Group) and words:
        found = command.get_command(context, words[0])
        assert found is not None, f"runledger has no {words[0]}"
        command, words = found, words[1:]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("--") and len(word) > 2:
            assert word.partition("=")[0] in options, f"{command.name} has no {word}"


@by_name
def test_every_module_can_be_run(page: Path) -> None:
    for module in re.findall(r"-m (runledger[\w.]*)", page.read_text()):
        assert importlib.util.find_spec(f"{module}.__main__") is not None


@by_name
def test_every_extra_exists(page: Path) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r"runledger\[(\w+)\]", page.read_text())) <= set(extras)


def test_the_services_and_volumes_of_compose_are_those_described() -> None:
    document = yaml.safe_load(COMPOSE)
    page = (ROOT / "docs/how-to/deploy.md").read_text()
    for name in (*document["services"], *document["volumes"]):
        assert f"`{name}`" in page, name
    named = re.findall(r"docker compose (?:run --rm|exec)(?: --\S+)* ([\w-]+)|--scale (\w+)=", page)
    assert named
    assert {one or other for one, other in named} <= set(document["services"])
    profiles = {
        profile for service in document["services"].values() for profile in service.get("profiles", [])
    }
    assert set(re.findall(r"--profile (\w+)", page)) == profiles
    loop = re.search(r"for who in ([A-Z ]+); do", page)
    assert loop is not None
    asked = set(re.findall(r"\$\{RUNLEDGER_(\w+)_PASSWORD:\?", COMPOSE))
    assert set(loop[1].split()) == asked


def test_the_passwords_that_are_made_are_all_that_compose_asks_for(tmp_path: Path) -> None:
    page = (ROOT / "docs/how-to/deploy.md").read_text()
    script = textwrap.dedent(re.findall(r"```sh\n(.*?)```", page, re.DOTALL)[0])
    subprocess.run(["sh", "-euc", script], cwd=tmp_path, check=True)
    file = tmp_path / ".env"
    given = dict(line.split("=") for line in file.read_text().splitlines())
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(set(given.values())) == len(given)
    assert read(given)["services"]


def test_snippets_of_yaml_and_configuration_can_be_read() -> None:
    for page in PAGES:
        for snippet in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL):
            merged = yaml.safe_load(snippet)
            assert set(merged["services"]) <= set(yaml.safe_load(COMPOSE)["services"])
