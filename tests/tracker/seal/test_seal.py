"""A seal's note: what it says, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from runledger.tracker.seal.errors import NoteInvalid
from runledger.tracker.seal.merkle import hash_leaf
from runledger.tracker.seal.notes import open_note, public_key_of, sign
from runledger.tracker.seal.seal import Seal, leaf_of, read_seal, write_seal
from tests.tracker.seal.histories import KEY

KEYS = [public_key_of("log", KEY)]
LEAVES = [bytes([each]) * 32 for each in range(1, 4)]
SEAL = Seal(
    log_id="log",
    size=5,
    root=bytes(32),
    sealed_at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    leaves=b"".join(LEAVES),
)
TEXT = """\
log
5
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
time 2026-01-02T03:04:05.000006Z
leaves AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQECAgICAgICAgICAgICAgIC\
AgICAgICAgICAgICAgICAgMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD
"""


def test_a_seal_is_a_checkpoint_with_its_time_and_leaves() -> None:
    note = write_seal(SEAL, KEY)
    assert open_note(note, KEYS) == TEXT
    assert read_seal(note, "log", KEYS) == SEAL
    assert (SEAL.base, SEAL.leaf(3), SEAL.leaf(5)) == (2, LEAVES[0], LEAVES[2])


def test_a_leaf_covers_what_the_log_gave_an_event_and_its_hash() -> None:
    """Spelled out once: whoever verifies without this code needs to know."""
    data = b"runledger.leaf.v1" + (7).to_bytes(8, "big") + (1_000_000).to_bytes(8, "big") + bytes(range(32))
    assert leaf_of(7, 1_000_000, bytes(range(32))) == hash_leaf(data)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("5\n", "05\n"),
        ("5\n", "0\n"),
        ("5\n", "2\n"),
        ("5\n", "x\n"),
        ("AAA=", "AA=="),
        ("time ", "Time "),
        ("-01-02T", "-13-02T"),
        ("000006Z", "000006"),
        ("leaves AQEB", "leaves AQ"),
        ("AwMD\n", "AwMD\nmore\n"),
    ],
)
def test_a_signed_text_that_is_no_seal(before: str, after: str) -> None:
    assert before in TEXT
    with pytest.raises(NoteInvalid):
        read_seal(sign(TEXT.replace(before, after, 1), "log", KEY), "log", KEYS)


def test_a_seal_of_another_log() -> None:
    other = write_seal(msgspec.structs.replace(SEAL, log_id="other"), KEY)
    with pytest.raises(NoteInvalid, match="of the log other, not of log"):
        read_seal(other, "log", [public_key_of("other", KEY)])
