"""What the command prints: for people on a terminal, in plain lines elsewhere, as JSON where asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table


class Output:
    """Results go to stdout; with `as_json` they are JSON and nothing else is printed there."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.console = Console(highlight=False, soft_wrap=True)

    @property
    def is_live(self) -> bool:
        """Whether what is drawn may be redrawn."""
        return self.console.is_terminal and not self.as_json

    def say(self, line: str) -> None:
        """A word to people on the way."""
        if not self.as_json:
            self.console.print(line, markup=False)

    def result(self, value: Any, lines: Sequence[str]) -> None:
        """The answer: `value` to machines, `lines` to people."""
        if self.as_json:
            print(msgspec.json.encode(value).decode(), flush=True)
        else:
            for line in lines:
                self.console.print(line, markup=False)

    def fields(self, title: str, fields: Mapping[str, object]) -> None:
        """Names and values, one a line."""
        self.say(title)
        width = max(map(len, fields), default=0)
        for name, value in fields.items():
            self.say(f"  {name:<{width}}  {value}")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        drawn = Table(*columns, box=None, header_style="bold", pad_edge=False)
        for row in rows:
            drawn.add_row(*(str(cell) for cell in row))
        if not self.as_json:
            self.console.print(drawn)


def with_output(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the option `--json` and an `Output` as its first argument."""

    @click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON, for machines.")
    @functools.wraps(command)
    def wrapped(*arguments: Any, as_json: bool, **options: Any) -> None:
        command(Output(as_json=as_json), *arguments, **options)

    return wrapped
