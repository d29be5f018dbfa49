"""The key that signs seals: an Ed25519 key in a file, never in the database.

The file is PEM (PKCS #8, as `openssl genpkey -algorithm ed25519` makes it) and readable by its owner only.
Whoever makes it first wins; all others use that one.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runledger.tracker.seal.errors import KeyUnusable, NoteInvalid
from runledger.tracker.seal.notes import PublicKey, parse_public_key


def load_or_make_key(path: Path) -> Ed25519PrivateKey:
    """The key of the file, made where there is none. Raises `KeyUnusable`."""
    try:
        if not path.exists():
            _make(path)
    except OSError as problem:
        raise KeyUnusable(str(path), str(problem.strerror or problem).lower()) from problem
    return load_key(path)


def load_key(path: Path) -> Ed25519PrivateKey:
    """Raises `KeyUnusable`."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as problem:
        raise KeyUnusable(str(path), str(problem.strerror or problem).lower()) from problem
    except (ValueError, TypeError, UnsupportedAlgorithm) as problem:
        raise KeyUnusable(str(path), "not a private key in PEM without a password") from problem
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(str(path), "a private key, but not one of Ed25519")
    return key


def load_public_keys(path: Path) -> list[PublicKey]:
    """One a line; lines that begin with `#` are passed over. Raises `KeyUnusable`."""
    try:
        lines = path.read_text().splitlines()
        keys = [parse_public_key(line) for line in lines if line.strip() and not line.startswith("#")]
    except OSError as problem:
        raise KeyUnusable(str(path), str(problem.strerror or problem).lower()) from problem
    except (NoteInvalid, UnicodeDecodeError) as problem:
        raise KeyUnusable(str(path), str(problem)) from problem
    if not keys:
        raise KeyUnusable(str(path), "holds no public key")
    return keys


def _make(path: Path) -> None:
    """There whole or not at all, and never instead of another."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        _link(part, path)
    finally:
        part.unlink()


def _link(part: Path, path: Path) -> None:
    try:
        os.link(part, path)
    except FileExistsError:
        return
