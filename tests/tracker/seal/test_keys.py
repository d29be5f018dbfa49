"""The key file: made once, for its owner only, in a form that other tools read."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runledger.tracker.errors import BadSetting
from runledger.tracker.seal.errors import KeyUnusable
from runledger.tracker.seal.keys import load_key, load_or_make_key, load_public_keys
from runledger.tracker.seal.notes import public_key_of
from runledger.tracker.seal.opening import known_keys, open_sealer
from runledger.tracker.seal.settings import SealSettings
from runledger.tracker.settings import StorageSettings, load
from runledger.tracker.store.log import Log


def raw(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes_raw()


def test_a_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "seal.key"
    made = load_or_make_key(path)
    assert raw(load_or_make_key(path)) == raw(load_key(path)) == raw(made)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["seal.key"]


def test_many_that_make_one_at_once_all_have_the_same(tmp_path: Path) -> None:
    found: list[bytes] = []
    barrier = threading.Barrier(8)

    def make() -> None:
        barrier.wait()
        found.append(raw(load_or_make_key(tmp_path / "seal.key")))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_what_is_no_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "seal.key"
    with pytest.raises(KeyUnusable, match=r"seal\.key: no such file"):
        load_key(path)
    path.write_text("nothing")
    with pytest.raises(KeyUnusable, match="not a private key in PEM"):
        load_or_make_key(path)
    path.write_bytes(
        generate_private_key(SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    with pytest.raises(KeyUnusable, match="not one of Ed25519"):
        load_key(path)
    (tmp_path / "file").touch()
    with pytest.raises(KeyUnusable, match="file exists"):
        load_or_make_key(tmp_path / "file" / "seal.key")


def test_public_keys_one_a_line(tmp_path: Path) -> None:
    keys = [public_key_of("log", Ed25519PrivateKey.generate()) for _ in range(2)]
    path = tmp_path / "public.key"
    path.write_text(f"# trusted since 2026\n{keys[0]}\n\n{keys[1]}\n")
    assert load_public_keys(path) == keys
    assert known_keys("log", StorageSettings(data=tmp_path), SealSettings(), path) == keys


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"nothing\n", b"\xff"])
def test_what_holds_no_public_key(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "public.key"
    path.write_bytes(content)
    with pytest.raises(KeyUnusable, match=r"public\.key"):
        load_public_keys(path)
    with pytest.raises(KeyUnusable, match="no such file"):
        load_public_keys(tmp_path / "nowhere")


def test_our_own_public_key_is_known(tmp_path: Path) -> None:
    storage = StorageSettings(data=tmp_path)
    assert known_keys("log", storage, SealSettings(), None) == []
    key = public_key_of("log", load_or_make_key(tmp_path / "seal.key"))
    assert known_keys("log", storage, SealSettings(), None) == [key]


def test_keys_that_were_in_use_before_are_trusted(tmp_path: Path) -> None:
    before = public_key_of("log", Ed25519PrivateKey.generate())
    path = tmp_path / "trusted.keys"
    path.write_text(f"{before}\n")
    storage, settings = StorageSettings(data=tmp_path), SealSettings(seal_trusted=path)
    key = public_key_of("log", load_or_make_key(tmp_path / "seal.key"))
    assert known_keys("log", storage, settings, None) == [key, before]

    path.write_text("nothing")
    with pytest.raises(BadSetting, match="RUNLEDGER_SEAL_TRUSTED"):
        known_keys("log", storage, settings, None)


def test_where_the_key_and_the_seals_lie(tmp_path: Path) -> None:
    storage = StorageSettings(data=tmp_path)
    assert SealSettings().key(storage) == tmp_path / "seal.key"
    assert SealSettings().place(storage) == f"file://{tmp_path}/seals"
    given = load(SealSettings, {"RUNLEDGER_SEALS_URL": "s3://b/p", "RUNLEDGER_SEAL_KEY": "/run/key"})
    assert (given.place(storage), given.key(storage)) == ("s3://b/p", Path("/run/key"))
    with pytest.raises(BadSetting, match="seal_seconds"):
        load(SealSettings, {"RUNLEDGER_SEAL_SECONDS": "0"})


def test_a_key_that_cannot_be_used_is_a_bad_setting(log: Log, tmp_path: Path) -> None:
    (tmp_path / "seal.key").write_text("nothing")
    with pytest.raises(BadSetting, match=r"RUNLEDGER_SEAL_KEY: .*seal\.key"):
        open_sealer(log, StorageSettings(data=tmp_path), SealSettings())
