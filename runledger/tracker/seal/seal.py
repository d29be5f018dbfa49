"""A seal: the root over the first `size` events, when it was made, and the leaves that it added.

Written as a C2SP checkpoint whose origin is the log's id, with two extension lines: the time, without which
a root says nothing about when, and the hashes of the leaves since the seal before, without which a
root that does not fit says that something was changed but not what.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runledger.tracker.envelope import from_micros, to_micros
from runledger.tracker.seal.errors import NoteInvalid
from runledger.tracker.seal.merkle import HASH_BYTES, LEAF
from runledger.tracker.seal.notes import PublicKey, from_base64, open_note, sign, to_base64

MOST_LEAVES = 4_096
"""That a seal adds; more are sealed by several."""
LEAF_DOMAIN = b"runledger.leaf.v1"

_LEAF = struct.Struct(">qq")
_PREFIX = LEAF + LEAF_DOMAIN
_LINES = re.compile(
    r"([^\n]+)\n([1-9]\d{0,18})\n(\S+)\ntime (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6})Z\nleaves (\S+)\n"
)


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    log_id: str
    size: int
    root: bytes
    sealed_at: datetime
    leaves: bytes
    """Hashes of the leaves of the positions behind `base` up to `size`."""

    @property
    def base(self) -> int:
        """The size of the seal before, on which this one builds."""
        return self.size - len(self.leaves) // HASH_BYTES

    def leaf(self, position: int) -> bytes:
        """Of a position behind `base`."""
        start = (position - self.base - 1) * HASH_BYTES
        return self.leaves[start : start + HASH_BYTES]


def leaf_of(position: int, recorded_at: int, digest: bytes) -> bytes:
    """The hash of an event's leaf: of what the log gave the event, and its hash. `recorded_at` in µs."""
    return sha256(_PREFIX + _LEAF.pack(position, recorded_at) + digest).digest()


def write_seal(seal: Seal, key: Ed25519PrivateKey) -> str:
    """The signed note."""
    return sign(_text_of(seal), seal.log_id, key)


def read_seal(note: str, log_id: str, keys: Sequence[PublicKey]) -> Seal:
    """Raises `NoteInvalid` for anything but a seal of this log that one of the keys has signed."""
    text = open_note(note, keys)
    found = _LINES.fullmatch(text)
    if found is None:
        raise NoteInvalid("not a checkpoint with its time and leaves")
    origin, size, root, time, leaves = found.groups()
    if origin != log_id:
        raise NoteInvalid(f"of the log {origin}, not of {log_id}")
    seal = Seal(
        log_id=log_id,
        size=int(size),
        root=from_base64(root),
        sealed_at=_read_time(time),
        leaves=from_base64(leaves),
    )
    if len(seal.root) != HASH_BYTES or len(seal.leaves) % HASH_BYTES or not 0 <= seal.base < seal.size:
        raise NoteInvalid("its root or its leaves are of the wrong length")
    return seal


def whole_micros(moment: datetime) -> datetime:
    """As it comes back from the log: UTC."""
    return from_micros(to_micros(moment))


def _text_of(seal: Seal) -> str:
    lines = (
        seal.log_id,
        str(seal.size),
        to_base64(seal.root),
        f"time {seal.sealed_at:%Y-%m-%dT%H:%M:%S.%fZ}",
        f"leaves {to_base64(seal.leaves)}",
    )
    return "".join(f"{line}\n" for line in lines)


def _read_time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(f"{text}+00:00")
    except ValueError as problem:
        raise NoteInvalid(f"not a time: {problem}") from None
