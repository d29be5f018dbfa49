"""Bearer tokens: made with 256 bits of randomness, shown once, kept as SHA-256 only.

A plain digest is enough because nobody can guess a random token; what a password would need (salt,
slowness) buys nothing here. The holder's name is the actor of every event written with the token.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Engine, Row, insert, or_, select, update

from runledger.tracker.envelope import from_micros
from runledger.tracker.errors import BadInput, NotFound
from runledger.tracker.store.engine import read, write
from runledger.tracker.store.tables import api_tokens, now_micros

PREFIX = "rl_"
ID_LENGTH = 12
"""So many digits of its digest name a token in lists and when it is revoked."""
ROLES = ("member",)


class Token(msgspec.Struct, frozen=True, kw_only=True):
    token_id: str
    holder: str
    role: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def create_token(engine: Engine, holder: str, *, expires_seconds: float | None = None) -> str:
    """A new token of `holder`: the only time that it can be read. Raises `BadInput`."""
    if not holder or holder == "local" or not holder.isprintable() or len(holder) > 100:
        raise BadInput("holder", "must be a name of 1 to 100 printable characters, and not 'local'")
    token = PREFIX + secrets.token_urlsafe(32)
    expires = None if expires_seconds is None else now_micros() + round(expires_seconds * 1_000_000)
    with write(engine) as conn:
        conn.execute(
            insert(api_tokens).values(
                digest=digest_of(token),
                holder=holder,
                role=ROLES[0],
                created_at=now_micros(),
                expires_at=expires,
            )
        )
    return token


def list_tokens(engine: Engine) -> list[Token]:
    """All that were ever made, the oldest first."""
    with read(engine) as conn:
        rows = conn.execute(select(api_tokens).order_by(api_tokens.c.created_at, api_tokens.c.digest))
        return [_token(row) for row in rows]


def revoke_token(engine: Engine, token_id: str) -> None:
    """Good for nothing from now on. Raises `NotFound` where no valid token has this id."""
    if len(token_id) < ID_LENGTH:
        raise NotFound("token", token_id)
    named = api_tokens.c.digest.startswith(token_id, autoescape=True)
    with write(engine) as conn:
        revoked = conn.execute(
            update(api_tokens).where(named, api_tokens.c.revoked_at.is_(None)).values(revoked_at=now_micros())
        )
    if revoked.rowcount == 0:
        raise NotFound("token", token_id)


def has_tokens(engine: Engine) -> bool:
    """Whether anybody could get in."""
    with read(engine) as conn:
        return conn.scalar(select(api_tokens.c.digest).where(_is_valid()).limit(1)) is not None


def holder_of(engine: Engine, token: str) -> str | None:
    """Whose token it is; None for one that is unknown, revoked or expired."""
    with read(engine) as conn:
        holder: str | None = conn.scalar(
            select(api_tokens.c.holder).where(api_tokens.c.digest == digest_of(token), _is_valid())
        )
    return holder


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _is_valid() -> ColumnElement[bool]:
    unexpired = or_(api_tokens.c.expires_at.is_(None), api_tokens.c.expires_at > now_micros())
    return api_tokens.c.revoked_at.is_(None) & unexpired


def _token(row: Row[tuple[object, ...]]) -> Token:
    return Token(
        token_id=row.digest[:ID_LENGTH],
        holder=row.holder,
        role=row.role,
        created_at=from_micros(row.created_at),
        expires_at=None if row.expires_at is None else from_micros(row.expires_at),
        revoked_at=None if row.revoked_at is None else from_micros(row.revoked_at),
    )
