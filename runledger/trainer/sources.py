"""Things that are referred to as `module:attribute`, and the digest of the files they are made of."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from runledger.trainer.errors import NoSource


def load(reference: str) -> Any:
    """Whatever stands at `module:attribute`."""
    module, _, attribute = reference.partition(":")
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
