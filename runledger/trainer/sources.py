"""Things that are referred to as `module:attribute`, and the digest of the files they are made of."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from runledger.trainer.errors import BadReference, NameTaken, NoSource


class Named(Protocol):
    """What was found at a reference; with a problem it has no name."""

    @property
    def reference(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> int: ...

    @property
    def problem(self) -> str | None: ...


def load(reference: str) -> Any:
    """Whatever stands at `module:attribute`. Raises `BadReference`, and whatever the import raises."""
    module, _, attribute = reference.partition(":")
    if not module or not attribute:
        raise BadReference(reference)
    found = importlib.import_module(module)
    for name in attribute.split("."):
        found = getattr(found, name)
    return found


def digest_of(name: str, version: int, modules: Iterable[str]) -> str:
    """SHA-256 over a name, a version, and the names and bytes of the files of the modules."""
    digest = hashlib.sha256(f"{name}\0{version}".encode())
    for module in modules:
        for file, content in _files(module):
            digest.update(f"\0{file}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _files(module: str) -> Iterator[tuple[str, bytes]]:
    """A module's file, or all of a package's."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise NoSource(module)
    origin = Path(spec.origin)
    files = sorted(origin.parent.rglob("*.py")) if spec.submodule_search_locations else [origin]
    for file in files:
        yield f"{module}/{file.relative_to(origin.parent).as_posix()}", file.read_bytes()


def told(error: BaseException) -> str:
    """Class and message, of whatever foreign code raises while it is loaded."""
    return f"{type(error).__name__}: {error}"


def taken(found: Sequence[Named]) -> list[str | None]:
    """For each, that others have its name and version too, and where they stand; else None."""
    holders: dict[tuple[str, int], list[str]] = defaultdict(list)
    for each in found:
        holders[each.name, each.version].append(each.reference)
    problems: list[str | None] = []
    for each in found:
        others = [reference for reference in holders[each.name, each.version] if reference != each.reference]
        is_taken = bool(others) and each.problem is None
        problems.append(told(NameTaken(each.name, each.version, ", ".join(others))) if is_taken else None)
    return problems
