"""One kept connection to one API, and its answers as values or as errors of ours.

`http.client` of the standard library: a request of 26 KB costs it a fifth of what httpx takes, and it
is imported in a sixth of the time. Every request of a courier may be repeated, so one that meets a
connection which the server has closed meanwhile goes out again at once.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping
from typing import IO, NoReturn, TypeAlias, TypeVar

import msgspec

from runledger.api.courier.errors import (
    AttemptOver,
    BadAnswer,
    Behind,
    Denied,
    LeaseLost,
    NotReachable,
    RefusedFact,
    Unknown,
)
from runledger.api.courier.routes import route_to

TIMEOUT_SECONDS = 30.0
MAX_ANSWER_BYTES = 1 << 20
PROBLEM = "urn:runledger:problem:"
PASSING = frozenset({408, 425, 429})
"""Statuses below 500 that say nothing about the request itself."""
DENIED = frozenset({401, 403, 421})
OCCUPIED = frozenset({"attempt-already-started", "lease-held", "wrong-expected-version"})
"""Conflicts that pass: the lease of another process, one that died with its machine say, runs out."""
LEASE_LOST = frozenset({"lease-lost", "fenced"})
UNKNOWN = frozenset({"not-found", "attempt-not-started"})
ATTEMPT_OVER = frozenset({"attempt-ended"})

T = TypeVar("T")
Body: TypeAlias = bytes | IO[bytes] | None
"""A file is sent as it is read, from its start; its length must stand in the headers."""


class _Problem(msgspec.Struct):
    """The members of problem details that are read here."""

    type: str = ""
    title: str = ""
    detail: str = ""
    version: int | None = None
    batches: int | None = None
    output_bytes: int | None = None


class _Answer(msgspec.Struct, frozen=True):
    status: int
    reason: str
    retry_after: str | None
    content: bytes

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300


class Connection:
    """For one thread at a time. Every call may raise any `DoorError`."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        on_answer: Callable[[], None] | None = None,
    ) -> None:
        """`on_answer` hears of each good answer. Raises `ValueError` for what is no address."""
        self.url = url.rstrip("/")
        self._on_answer = on_answer
        self._route = route_to(url)
        self._timeout_seconds = timeout_seconds
        self._headers = {"Accept": "application/json", "User-Agent": "runledger", **self._route.headers}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._open: http.client.HTTPConnection | None = None

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def ask(
        self, kind: type[T], method: str, path: str, body: Body = None, headers: Mapping[str, str] = {}
    ) -> T:
        """Send a request, and read its answer as `kind`."""
        answer = self._reach(method, path, body, headers)
        if not answer.is_good:
            self._refuse(answer)
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except msgspec.MsgspecError as error:
            raise BadAnswer(self.url, f"answers what this client cannot read: {error}") from error

    def has(self, path: str) -> bool:
        """Whether something is there. An answer to HEAD has no body, so it cannot tell why not."""
        answer = self._reach("HEAD", path, None, {})
        if _is_passing(answer):
            self._refuse(answer)
        return answer.is_good

    def _reach(self, method: str, path: str, body: Body, headers: Mapping[str, str]) -> _Answer:
        try:
            return self._once_more(method, path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise NotReachable(self.url, str(error) or type(error).__name__) from error

    def _once_more(self, method: str, path: str, body: Body, headers: Mapping[str, str]) -> _Answer:
        """The server may have closed a kept connection: then a fresh one gets its chance."""
        was_kept = self._open is not None
        try:
            return self._exchange(method, path, body, headers)
        except (ConnectionError, http.client.HTTPException):
            self.close()
            if not was_kept:
                raise
        if body is not None and not isinstance(body, bytes):
            body.seek(0)
        return self._exchange(method, path, body, headers)

    def _exchange(self, method: str, path: str, body: Body, headers: Mapping[str, str]) -> _Answer:
        if self._open is None:
            self._open = self._route.connection(self._timeout_seconds)
        connection, is_whole = self._open, True
        try:
            connection.request(method, self._route.prefix + path, body, {**self._headers, **headers})
        except ConnectionError:
            if body is None or isinstance(body, bytes):
                raise
            is_whole = False  # a large body is refused before its end: the answer says why
        answer = connection.getresponse()
        content = answer.read(MAX_ANSWER_BYTES)
        if not is_whole or not answer.isclosed():
            self.close()
        told = _Answer(answer.status, answer.reason, answer.headers.get("Retry-After"), content)
        if told.is_good and self._on_answer is not None:
            self._on_answer()
        return told

    def _refuse(self, answer: _Answer) -> NoReturn:
        status, problem = answer.status, _problem_in(answer.content)
        detail = problem.detail or problem.title or f"{status} {answer.reason}"
        if _is_passing(answer):
            raise NotReachable(self.url, detail, _seconds(answer.retry_after))
        if not problem.type.startswith(PROBLEM):
            raise BadAnswer(self.url, f"answers {status}, and not as Runledger does")
        if status in DENIED:
            raise Denied(f"{self.url}: {detail}")
        kind = problem.type.removeprefix(PROBLEM)
        if kind in UNKNOWN:
            raise Unknown(status, kind, detail)
        if status == 409:
            _refuse_conflict(self.url, kind, detail, problem)
        raise RefusedFact(status, kind, detail)


def _refuse_conflict(url: str, kind: str, detail: str, problem: _Problem) -> None:
    """Raises what a conflict means, where it is more than a refusal."""
    if kind in OCCUPIED:
        raise NotReachable(url, detail)
    if kind in LEASE_LOST:
        raise LeaseLost(detail)
    if kind in ATTEMPT_OVER:
        raise AttemptOver(409, kind, detail)
    version, batches, output_bytes = problem.version, problem.batches, problem.output_bytes
    if version is not None or batches is not None or output_bytes is not None:
        raise Behind(detail, version=version, batches=batches, output_bytes=output_bytes)


def _is_passing(answer: _Answer) -> bool:
    return answer.status >= 500 or answer.status in PASSING


def _problem_in(content: bytes) -> _Problem:
    try:
        return msgspec.json.decode(content, type=_Problem)
    except msgspec.MsgspecError:
        return _Problem()


def _seconds(text: str | None) -> float | None:
    """What Retry-After asks for, where it is a number."""
    try:
        return max(float(text), 0.0) if text else None
    except ValueError:
        return None
