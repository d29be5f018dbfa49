"""Signed notes, as the C2SP describes them."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runledger.tracker.seal.errors import NoteInvalid
from runledger.tracker.seal.notes import (
    from_base64,
    open_note,
    parse_public_key,
    public_key_of,
    sign,
    to_base64,
)

# From the documentation of golang.org/x/mod/sumdb/note.
PETER = "PeterNeumann+c74f20a3+" + "".join(["ARpc2QcUPDhMQegw", "xbzhKqiBfsVkmqq/", "LDE4izWy10TW"])
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNED = (
    f"{TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb"
    "6KE6RyyBwJnAM=\n"
)
SEED = from_base64("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OURS = public_key_of("log", KEY)


def test_a_published_note_is_opened_with_its_published_key() -> None:
    assert open_note(SIGNED, [parse_public_key(PETER)]) == TEXT


def test_a_published_note_is_signed_alike() -> None:
    key = Ed25519PrivateKey.from_private_bytes(SEED)
    assert sign(TEXT, "PeterNeumann", key) == SIGNED
    assert str(public_key_of("PeterNeumann", key)) == PETER


def test_a_note_is_opened_by_whoever_knows_its_key() -> None:
    note = sign("one\n\ntwo\n", "log", KEY)
    assert open_note(note, [parse_public_key(PETER), OURS]) == "one\n\ntwo\n"
    assert note == sign("one\n\ntwo\n", "log", KEY)


def test_a_signature_of_somebody_else_beside_ours_is_passed_over() -> None:
    other = sign("text\n", "other", Ed25519PrivateKey.generate()).removeprefix("text\n\n")
    ours = sign("text\n", "log", KEY)
    assert open_note("text\n\n" + other + ours.removeprefix("text\n\n"), [OURS]) == "text\n"


def test_every_byte_of_a_note_counts() -> None:
    note = sign("some text\n", "log", KEY).encode()
    for place, byte in enumerate(note):
        for changed in (byte ^ 1, byte ^ 0x20):
            damaged = note[:place] + bytes([changed]) + note[place + 1 :]
            with pytest.raises((NoteInvalid, UnicodeDecodeError)):
                open_note(damaged.decode(), [OURS])


@pytest.mark.parametrize(
    "note",
    [
        "",
        "text\n",
        "text\n\n",
        "text\n\n— log\n",
        "text\n\n- log AAAA\n",
        "text\n\n— log AAAA",
        "text\n\n— log !!!!\n",
        "text\r\n\n— log AAAA\n",
        sign("text\n", "other", KEY),
        sign("text\n", "log", Ed25519PrivateKey.generate()),
        sign("text\n", "log", KEY)[:-1],
        sign("text\n", "log", KEY) + "\n",
        "text\n\n" + "— x AAAA\n" * 17,
    ],
)
def test_what_is_no_note_of_ours_is_refused(note: str) -> None:
    with pytest.raises(NoteInvalid):
        open_note(note, [OURS])


def test_a_public_key_is_read_as_it_is_written() -> None:
    assert parse_public_key(f"{OURS}\n") == OURS
    assert str(parse_public_key(PETER)) == PETER


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log",
        "log+00000000+" + to_base64(b"\x01" + OURS.raw),
        f"a b{str(OURS)[3:]}",
        str(OURS)[:-4],
        "a+b+c",
    ],
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(NoteInvalid):
        parse_public_key(text)


def test_a_key_of_another_kind_is_refused() -> None:
    text = "log+" + OURS.id.hex() + "+" + to_base64(b"\x02" + OURS.raw)
    with pytest.raises(NoteInvalid, match="Ed25519"):
        parse_public_key(text)


@pytest.mark.parametrize("text", ["text", "te\x00xt\n", "te\rxt\n"])
def test_a_text_that_cannot_be_signed(text: str) -> None:
    with pytest.raises(ValueError, match="newline"):
        sign(text, "log", KEY)


@pytest.mark.parametrize("text", ["AB==", "A", "AA=A", "AAA=\n", "ä"])
def test_bytes_are_written_in_one_way_only(text: str) -> None:
    with pytest.raises(NoteInvalid):
        from_base64(text)
