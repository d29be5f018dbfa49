"""Idempotency-Key: the same key with the same body launches once, however often and wherever it arrives.

The key is inserted in the transaction that appends the run, so of two that come at the same moment one
appends and the other finds what the first one did. Keys belong to their holder: nobody reads another's.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, TypeAlias

import msgspec
from litestar.params import HeaderParameter
from sqlalchemy import Connection, bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from runledger.api.errors import ApiError, KeyReused
from runledger.tracker.store.tables import idempotency_keys as table
from runledger.tracker.store.tables import now_micros

IdempotencyKey: TypeAlias = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        required=False,
        min_length=1,
        max_length=200,
        schema_extra={"minLength": 1, "maxLength": 200},
        description="Chosen by the caller; a repetition with the same key and body gets the first answer.",
    ),
]


class KeyTaken(ApiError):
    """Another request with the same key was faster; its answer is there to be read."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What the first request did."""

    run_id: str
    experiment_id: str


_done = msgspec.json.Decoder(Done)
_FIND = select(table).where(table.c.holder == bindparam("holder"), table.c.key == bindparam("key"))
_CLAIM = insert(table).values(created_at=now_micros())
"""Put together once: that takes longer than to execute them."""


def fingerprint(request: msgspec.Struct) -> str:
    return hashlib.sha256(msgspec.json.encode(request, order="sorted")).hexdigest()


def find(conn: Connection, holder: str, key: str, print_: str) -> Done | None:
    """What was done under this key. Raises `KeyReused` where that was asked for with another body."""
    row = conn.execute(_FIND, {"holder": holder, "key": key}).one_or_none()
    if row is None:
        return None
    if row.fingerprint != print_:
        raise KeyReused(key)
    return _done.decode(row.body)


def claim(conn: Connection, holder: str, key: str, print_: str, done: Done) -> None:
    """Within the append. Raises `KeyTaken`, which undoes the append."""
    body = msgspec.json.encode(done)
    values = {"holder": holder, "key": key, "fingerprint": print_, "status": 201, "body": body}
    try:
        conn.execute(_CLAIM, values)
    except IntegrityError:
        raise KeyTaken from None
