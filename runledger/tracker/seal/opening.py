"""A sealer, or the place and keys of one, as the settings have them."""

from __future__ import annotations

from pathlib import Path

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
    path = settings.key(storage)
    try:
        key = load_or_make_key(path)
    except KeyUnusable as problem:
        raise BadSetting("RUNLEDGER_SEAL_KEY", str(problem)) from problem
    return Sealer(log, open_place(settings.place(storage), log.log_id), key)


def open_place(url: str, log_id: str) -> Place:
    """Raises `BadSetting` for an address that is none, or that needs a package which is not installed."""
    try:
        return Place(url, log_id)
    except (ValueError, ImportError) as problem:
        raise BadSetting("RUNLEDGER_SEALS_URL", f"{url}: {problem}") from problem


def known_keys(log_id: str, key: Path, public_key: Path | None) -> list[PublicKey]:
    """Those of the file `public_key`, else the one that belongs to our own private key, else none.

    Raises `KeyUnusable`.
    """
    if public_key is not None:
        return load_public_keys(public_key)
    return [public_key_of(log_id, load_key(key))] if key.exists() else []
