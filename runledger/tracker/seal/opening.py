"""A sealer, or the place and keys of one, as the settings have them."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runledger.tracker.errors import BadSetting
from runledger.tracker.seal.errors import KeyUnusable
from runledger.tracker.seal.keys import load_key, load_or_make_key, load_public_keys
from runledger.tracker.seal.notes import PublicKey, public_key_of
from runledger.tracker.seal.place import Place
from runledger.tracker.seal.sealer import Sealer
from runledger.tracker.seal.settings import SealSettings
from runledger.tracker.settings import StorageSettings
from runledger.tracker.store.log import Log


def open_sealer(log: Log, storage: StorageSettings, settings: SealSettings) -> Sealer:
    """Makes the key where there is none. Raises `BadSetting`."""
    try:
        key = load_or_make_key(settings.key(storage))
    except KeyUnusable as problem:
        raise BadSetting("RUNLEDGER_SEAL_KEY", str(problem)) from problem
    return sealer_with(log, key, storage, settings)


def sealer_with(log: Log, key: Ed25519PrivateKey, storage: StorageSettings, settings: SealSettings) -> Sealer:
    """Raises `BadSetting`."""
    place = open_place(settings.place(storage), log.log_id)
    return Sealer(log, place, key, trusted=trusted_keys(settings))


def open_place(url: str, log_id: str) -> Place:
    """Raises `BadSetting` for an address that is none, or that needs a package which is not installed."""
    try:
        return Place(url, log_id)
    except (ValueError, ImportError) as problem:
        raise BadSetting("RUNLEDGER_SEALS_URL", f"{url}: {problem}") from problem


def trusted_keys(settings: SealSettings) -> list[PublicKey]:
    """Of keys that were in use before. Raises `BadSetting`."""
    if settings.seal_trusted is None:
        return []
    try:
        return load_public_keys(settings.seal_trusted)
    except KeyUnusable as problem:
        raise BadSetting("RUNLEDGER_SEAL_TRUSTED", str(problem)) from problem


def known_keys(
    log_id: str, storage: StorageSettings, settings: SealSettings, public_key: Path | None
) -> list[PublicKey]:
    """Those of the file `public_key`; else our own, where there is one, and those that are trusted.

    Raises `KeyUnusable` and `BadSetting`.
    """
    if public_key is not None:
        return load_public_keys(public_key)
    path = settings.key(storage)
    own = [public_key_of(log_id, load_key(path))] if path.exists() else []
    return [*own, *trusted_keys(settings)]
