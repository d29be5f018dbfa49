"""Settings: frozen Structs, read once from the environment at an entry point and passed down.

Each field `foo` is the variable `RUNLEDGER_FOO`. An empty variable counts as absent; one that does not
fit stops the process with its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_origin

import msgspec

from runledger.tracker.errors import BadSetting

StructT = TypeVar("StructT", bound=msgspec.Struct)

PREFIX = "RUNLEDGER_"


class StorageSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything lies. What is not named lies under `data`."""

    data: Path = Path(".runledger")
    """The data folder; relative to where the process starts."""
    ledger_url: str | None = None
    """`sqlite:///…` or `postgresql://…`; by default the file `ledger.db` in the data folder."""
    views_url: str | None = None
    """By default beside the ledger: the same PostgreSQL database, or `views.db`."""
    blobs_url: str | None = None
    """`file://…`, or `s3://bucket/prefix` with the extra `s3`; by default `blobs` in the data folder."""

    @property
    def ledger(self) -> str:
        return self.ledger_url or f"sqlite:///{self.data.absolute() / 'ledger.db'}"

    @property
    def views(self) -> str:
        """Beside the ledger: the same PostgreSQL database (another schema), else a second file."""
        if self.views_url is None and self.ledger_url and not self.ledger_url.startswith("sqlite"):
            return self.ledger_url
        return self.views_url or f"sqlite:///{self.data.absolute() / 'views.db'}"

    @property
    def blobs(self) -> str:
        return self.blobs_url or f"file://{self.data.absolute() / 'blobs'}"


class CodeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded of the code that trains."""

    code_diff: bool = True
    """Keep what `git diff` says of uncommitted changes: at most 1 MiB, secrets redacted. 0 keeps none."""


def load(kind: type[StructT], environ: Mapping[str, str], prefix: str = PREFIX) -> StructT:
    """The settings that `environ` holds. Raises `BadSetting` naming the variable."""
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        variable = prefix + field.name.upper()
        text = environ.get(variable, "").strip()
        if text:
            values[field.name] = _convert(text, field.type, variable)
        elif field.required:
            raise BadSetting(variable, "is not set")
    return _build(kind, values, prefix)


def _convert(text: str, wanted: Any, variable: str) -> Any:
    value: Any = [part.strip() for part in text.split(",")] if get_origin(wanted) in (tuple, list) else text
    try:
        return msgspec.convert(value, wanted, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as problem:
        raise BadSetting(variable, f"{problem} (it is {text!r})") from problem


def _decode(wanted: type, value: Any) -> Any:
    if wanted is Path:
        try:
            return Path(value).expanduser()
        except RuntimeError as problem:  # nobody's home
            raise ValueError(str(problem)) from problem
    raise NotImplementedError(f"settings of type {wanted!r}")


def _build(kind: type[StructT], values: dict[str, Any], prefix: str) -> StructT:
    """Constructors check what no single field can; what they raise concerns the settings as a whole."""
    try:
        return kind(**values)
    except ValueError as problem:
        raise BadSetting(f"{prefix}*", str(problem)) from problem
