"""Signed notes with Ed25519, as C2SP signed-note describes them, and the keys that sign and verify them.

A public key is written as `NAME+ID+KEY` (the verifier key of Go's `sumdb/note`), where the name is the
log's id. Only the one way of writing a note is accepted that `sign` itself uses, so that every byte counts.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from hashlib import sha256

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from runledger.tracker.seal.errors import NoteInvalid

ED25519 = b"\x01"
ID_BYTES = 4
SIGNATURE_BYTES = 64
MOST_SIGNATURES = 16

_UNCLEAN = re.compile("[\x00-\x09\x0b-\x1f\ud800-\udfff]")


class PublicKey(msgspec.Struct, frozen=True):
    """Whose signature, and how it is checked. `raw` is the key's 32 bytes."""

    name: str
    raw: bytes

    @property
    def id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + ED25519 + self.raw).digest()[:ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{to_base64(ED25519 + self.raw)}"


def public_key_of(name: str, key: Ed25519PrivateKey) -> PublicKey:
    return PublicKey(name, key.public_key().public_bytes_raw())


def parse_public_key(text: str) -> PublicKey:
    """Raises `NoteInvalid`."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3 or not _is_name(parts[0]):
        raise NoteInvalid("a public key reads NAME+ID+KEY")
    encoded = from_base64(parts[2])
    key = PublicKey(parts[0], encoded[1:])
    if encoded[:1] != ED25519 or len(key.raw) != 32 or key.id.hex() != parts[1]:
        raise NoteInvalid("not a public key of Ed25519, or its id is another key's")
    return key


def sign(text: str, name: str, key: Ed25519PrivateKey) -> str:
    """The note. `text` ends in a newline."""
    if not text.endswith("\n") or not _is_clean(text):
        raise ValueError("the text of a note ends in a newline and holds no other control characters")
    signature = public_key_of(name, key).id + key.sign(text.encode())
    return f"{text}\n— {name} {to_base64(signature)}\n"


def open_note(note: str, keys: Sequence[PublicKey]) -> str:
    """Its text, signed by one of the keys. Raises `NoteInvalid`."""
    text, lines = _split(note)
    for line in lines:
        name, signature = _parse_signature(line)
        for key in keys:
            if (key.name, key.id) == (name, signature[:ID_BYTES]):
                _check(key, signature[ID_BYTES:], text)
                return text
    raise NoteInvalid("not signed by a known key")


def to_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def from_base64(text: str) -> bytes:
    """Raises `NoteInvalid`, also where the same bytes would be written otherwise."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as problem:
        raise NoteInvalid(f"not in base 64: {problem}") from None
    if to_base64(content) != text:
        raise NoteInvalid("not in base 64 as it is usually written")
    return content


def _split(note: str) -> tuple[str, list[str]]:
    text, separator, signatures = note.rpartition("\n\n")
    lines = signatures.removesuffix("\n").split("\n")
    if not separator or not signatures.endswith("\n") or not _is_clean(note):
        raise NoteInvalid("not a signed note")
    if len(lines) > MOST_SIGNATURES:
        raise NoteInvalid("too many signatures")
    return f"{text}\n", lines


def _parse_signature(line: str) -> tuple[str, bytes]:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or not _is_name(parts[1]):
        raise NoteInvalid("not a signature line")
    return parts[1], from_base64(parts[2])


def _check(key: PublicKey, signature: bytes, text: str) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, text.encode())
    except InvalidSignature:
        raise NoteInvalid("the signature is not that of the text") from None


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(letter.isspace() for letter in name)


def _is_clean(text: str) -> bool:
    """Neither control characters nor halves of surrogate pairs."""
    return _UNCLEAN.search(text) is None
