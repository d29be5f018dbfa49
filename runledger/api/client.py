"""A typed client of the REST API, for the command line, notebooks and programs.

What may be repeated safely is repeated when the connection fails: every read, and every launch, since it
carries an Idempotency-Key. A problem document becomes an error:

    ClientError
    ├── NotReachable            nobody answers at the address
    ├── BadAnswer               something answers that is not Runledger, or another version of it
    ├── TimedOut                what was waited for did not happen in time
    └── Problem                 the API says what is wrong
        ├── Invalid             400, 413, 415, 422: the request does not fit
        ├── NotFound            404
        ├── Refused             401, 403, 409, 412, 421: understood, and not allowed
        ├── Unavailable         503: for the moment
        └── ServerFault         any other 5xx
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

import httpx
import msgspec
import tenacity
from httpx_sse import EventSource, connect_sse

from runledger.api.answers import (
    Artifact,
    Checkpoint,
    Evaluation,
    Fact,
    Health,
    Launched,
    MetricSummary,
    Page,
    Prediction,
    RecipeAnswer,
    Run,
    RunRow,
    ScorerAnswer,
    Series,
    Written,
)

DEFAULT_URL = "http://127.0.0.1:8600"
CONNECT_SECONDS = 10.0
STREAM_SILENCE_SECONDS = 60.0
"""The API says that it is alive more often than this."""
JsonObject = dict[str, Any]
T = TypeVar("T")


class ClientError(Exception):
    """Base of all errors of the client."""


class NotReachable(ClientError):
    """Nobody answers at the address."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"no Runledger answers at {url}: {reason}")
        self.url = url


class BadAnswer(ClientError):
    """Something answers that this client cannot read."""


class TimedOut(ClientError):
    """What was waited for did not happen in time."""


class Problem(ClientError):
    """The API's problem details; `document` has all its members."""

    def __init__(self, document: JsonObject, status: int) -> None:
        title, detail = document.get("title") or f"status {status}", document.get("detail")
        super().__init__(f"{title}: {detail}" if detail else str(title))
        self.status = status
        self.document = document


class Invalid(Problem):
    """The request does not fit."""


class NotFound(Problem):
    """There is no such thing."""


class Refused(Problem):
    """Understood, and not allowed."""


class Unavailable(Problem):
    """Not at the moment."""


class ServerFault(Problem):
    """The API failed; its log says more."""


_KINDS: Mapping[int, type[Problem]] = {
    401: Refused, 403: Refused, 404: NotFound, 409: Refused, 412: Refused, 421: Refused, 503: Unavailable
}  # fmt: skip


AsOf: TypeAlias = int | str | None
"""A position of the log, or a time as RFC 3339 has it; None for now."""


class Client:
    """One connection pool to one API. Use it as a context manager, or call `close`."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        token: str | None = None,
        *,
        timeout_seconds: float = 30.0,
        retry_seconds: float = 5.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=timeout_seconds,
            transport=transport,
        )
        self._again = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(NotReachable),
            stop=tenacity.stop_after_delay(retry_seconds),
            wait=tenacity.wait_exponential_jitter(multiplier=0.1, max=1.0, jitter=0.1),
            reraise=True,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def launch(
        self,
        recipe: str,
        *,
        experiment: str,
        preset: str | None = None,
        spec: JsonObject | None = None,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Launched:
        """Request a run. `options` are the further members of the request: name, tags, priority, limits,
        device, worker_labels. The same key with the same request launches once."""
        asked = {"recipe": recipe, "experiment": experiment, "preset": preset, "spec": spec, **options}
        body = {name: value for name, value in asked.items() if value is not None}
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return self._repeatable(Launched, "POST", "/runs", json=body, headers=headers)

    def fork(
        self,
        run_id: str,
        *,
        step: int | None = None,
        spec: JsonObject | None = None,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Launched:
        """A new run from a checkpoint of this one, the last where no step is named, with other values.

        `options` are the further members of the request: name, experiment, tags, priority, limits, device,
        worker_labels. The same key with the same request forks once."""
        asked = {"step": step, "spec": spec, **options}
        body = {name: value for name, value in asked.items() if value is not None}
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return self._repeatable(Launched, "POST", f"/runs/{_part(run_id)}/fork", json=body, headers=headers)

    def run(self, run_id: str, *, after: int | None = None, as_of: AsOf = None) -> Run:
        return self._get(Run, f"/runs/{_part(run_id)}", after=after, as_of=as_of)

    def position_of(self, as_of: AsOf) -> int:
        """Of the log: what a time means. Raises `Invalid`, and `Refused` for one still to come."""
        query = {"as_of": as_of, "limit": 1}
        return int(self._again(self._request, "GET", "/runs", params=query).headers["X-As-Of"])

    def runs(
        self,
        *,
        experiment: str | None = None,
        status: str | None = None,
        after: int | None = None,
        as_of: AsOf = None,
    ) -> Iterator[RunRow]:
        """All runs, newest first, a page at a time."""
        query = {"experiment": experiment, "status": status, "after": after, "as_of": as_of}
        return self._pages(RunRow, "/runs", **query)

    def cancel(self, run_id: str, reason: str | None = None) -> Written:
        """Ask it to stop at its next step boundary. Asking twice changes nothing, so it may be repeated."""
        return self._repeatable(Written, "POST", f"/runs/{_part(run_id)}/cancel", json=_reason(reason))

    def pause(self, run_id: str, reason: str | None = None) -> Written:
        """Ask it to stop at its next step boundary, until it is resumed."""
        return self._once(Written, "POST", f"/runs/{_part(run_id)}/pause", json=_reason(reason))

    def resume(self, run_id: str, reason: str | None = None) -> Written:
        return self._once(Written, "POST", f"/runs/{_part(run_id)}/resume", json=_reason(reason))

    def retry(self, run_id: str) -> Written:
        return self._once(Written, "POST", f"/runs/{_part(run_id)}/retry", json={})

    def change(self, run_id: str, **changes: Any) -> Written:
        """Its human side: name, tags, note, hidden."""
        return self._once(Written, "PATCH", f"/runs/{_part(run_id)}", json=changes)

    def facts(self, run_id: str, *, as_of: AsOf = None) -> list[Fact]:
        """The events of the run's life, in order."""
        return list(self._pages(Fact, f"/runs/{_part(run_id)}/events", as_of=as_of))

    def metrics(self, run_id: str, *, after: int | None = None, as_of: AsOf = None) -> list[MetricSummary]:
        return list(self._pages(MetricSummary, f"/runs/{_part(run_id)}/metrics", after=after, as_of=as_of))

    def series(
        self,
        run_id: str,
        key: str,
        *,
        max_points: int = 1000,
        superseded: bool = False,
        after: int | None = None,
        as_of: AsOf = None,
    ) -> Series:
        """A curve of at most `max_points` points: the effective ones, or the superseded ones instead."""
        query = {"max_points": max_points, "superseded": superseded, "after": after, "as_of": as_of}
        return self._get(Series, f"/runs/{_part(run_id)}/metrics/{_path(key)}", **query)

    def checkpoints(self, run_id: str, *, after: int | None = None, as_of: AsOf = None) -> list[Checkpoint]:
        return list(self._pages(Checkpoint, f"/runs/{_part(run_id)}/checkpoints", after=after, as_of=as_of))

    def artifacts(self, run_id: str, *, after: int | None = None, as_of: AsOf = None) -> list[Artifact]:
        return list(self._pages(Artifact, f"/runs/{_part(run_id)}/artifacts", after=after, as_of=as_of))

    def evaluations(self, run_id: str, *, after: int | None = None, as_of: AsOf = None) -> list[Evaluation]:
        return list(self._pages(Evaluation, f"/runs/{_part(run_id)}/evaluations", after=after, as_of=as_of))

    def predictions(self, evaluation_id: str) -> Iterator[Prediction]:
        return self._pages(Prediction, f"/evaluations/{_part(evaluation_id)}/predictions")

    def recipes(self) -> list[RecipeAnswer]:
        """What the workers that are there now can run."""
        return list(self._pages(RecipeAnswer, "/recipes"))

    def scorers(self) -> list[ScorerAnswer]:
        """What predictions can be scored with, as the workers have announced it."""
        return list(self._pages(ScorerAnswer, "/scorers"))

    def health(self) -> Health:
        return self._get(Health, "/health")

    def logs(self, run_id: str) -> bytes:
        """Everything that the run has printed, raw."""
        content: bytes = self._again(self._request, "GET", f"/runs/{_part(run_id)}/logs").content
        return content

    def download(self, digest: str, to: Path) -> None:
        """A blob, written beside `to` and moved there once it is whole."""
        unfinished = to.with_name(f"{to.name}.part")
        with self._reaching(), self._http.stream("GET", f"/blobs/{_part(digest)}") as answer:
            self._refuse_problem(answer)
            with unfinished.open("wb") as file:
                for chunk in answer.iter_bytes():
                    file.write(chunk)
        unfinished.replace(to)

    def follow(self, run_id: str | None = None, *, after: int | None = None) -> Iterator[Fact]:
        """Every event (of one run's life, if it is named) after a position, or else from now on.

        A broken connection is opened again and nothing is missed; NotReachable if that does not succeed.
        """
        position = self.health().position if after is None else after
        while True:
            for fact in self._stream(run_id, position):
                position = fact.position
                yield fact

    def wait(self, run_id: str, *, timeout_seconds: float = float("inf"), poll_seconds: float = 0.5) -> Run:
        """The run once it has ended, however it ended; TimedOut if it does not in time."""
        deadline = time.monotonic() + timeout_seconds
        while not (run := self.run(run_id)).is_ended:
            if time.monotonic() > deadline:
                raise TimedOut(f"run {run_id} is still {run.status} after {timeout_seconds:.0f} s")
            time.sleep(poll_seconds)
        return run

    def _stream(self, run_id: str | None, position: int) -> Iterator[Fact]:
        """One connection's worth of events; ends when the connection does."""
        asked = {"kinds": "run" if run_id else None, "run": run_id, "after": position}
        params = {name: value for name, value in asked.items() if value is not None}
        with contextlib.ExitStack() as stack:
            source = self._again(self._open_stream, stack, params)
            with contextlib.suppress(httpx.TransportError):
                for event in source.iter_sse():
                    if event.data:
                        yield self._decode(Fact, event.data.encode())

    def _open_stream(self, stack: contextlib.ExitStack, params: Mapping[str, Any]) -> EventSource:
        timeout = httpx.Timeout(CONNECT_SECONDS, read=STREAM_SILENCE_SECONDS)
        with self._reaching():
            source = stack.enter_context(
                connect_sse(self._http, "GET", "/events/stream", params=params, timeout=timeout)
            )
        self._refuse_problem(source.response)
        return source

    def _get(self, kind: type[T], path: str, **query: Any) -> T:
        params = {name: value for name, value in query.items() if value is not None}
        return self._repeatable(kind, "GET", path, params=params)

    def _pages(self, kind: type[T], path: str, **query: Any) -> Iterator[T]:
        page: Page[T] = self._get(Page[kind], path, **query)  # type: ignore[valid-type]
        yield from page.items
        while page.next is not None:
            page = self._get(Page[kind], path, **query, cursor=page.next)  # type: ignore[valid-type]
            yield from page.items

    def _repeatable(self, kind: type[T], method: str, path: str, **options: Any) -> T:
        return self._decode(kind, self._again(self._request, method, path, **options).content)

    def _once(self, kind: type[T], method: str, path: str, **options: Any) -> T:
        return self._decode(kind, self._request(method, path, **options).content)

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        with self._reaching():
            answer = self._http.request(method, path, **options)
        self._refuse_problem(answer)
        return answer

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            raise NotReachable(self.url, str(error) or type(error).__name__) from error

    def _refuse_problem(self, answer: httpx.Response) -> None:
        if answer.is_success:
            return
        answer.read()
        try:
            document = msgspec.json.decode(answer.content, type=dict[str, Any])
        except msgspec.DecodeError:
            raise BadAnswer(f"{self.url} answers {answer.status_code}, and not as Runledger does") from None
        raise _KINDS.get(answer.status_code, _by_class(answer.status_code))(document, answer.status_code)

    def _decode(self, kind: type[T], content: bytes) -> T:
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.MsgspecError as error:
            raise BadAnswer(f"{self.url} answers what this client cannot read: {error}") from error


def _reason(reason: str | None) -> dict[str, str]:
    return {} if reason is None else {"reason": reason}


def _part(text: str) -> str:
    """One part of a path, whatever is in it. A dot alone, or two, would be taken for a folder."""
    return quote(text, safe="") if text.strip(".") else text.replace(".", "%2E")


def _path(key: str) -> str:
    """A metric's key, whose slashes are slashes in the path."""
    return "/".join(map(_part, key.split("/")))


def _by_class(status: int) -> type[Problem]:
    return ServerFault if status >= httpx.codes.INTERNAL_SERVER_ERROR else Invalid
