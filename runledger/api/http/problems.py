"""From error to answer: problem details (RFC 9457) for everything that can go wrong.

`STATUS` is the one map from error to HTTP status; an error that is in no line of it is a defect and
becomes a 500 that says nothing of the inside. The type of a problem is a URN that names the error.
"""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import Send

from runledger.api import errors
from runledger.api.errors import Fault
from runledger.api.http import encoding
from runledger.tracker import errors as tracker_errors

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

STATUS: dict[type[Exception], int] = {
    errors.BadRequest: 400,
    msgspec.DecodeError: 400,
    errors.Unauthorized: 401,
    errors.ForeignOrigin: 403,
    tracker_errors.NotFound: 404,
    tracker_errors.BlobMissing: 404,
    tracker_errors.Refused: 409,
    tracker_errors.WrongExpectedVersion: 409,
    tracker_errors.Fenced: 409,
    errors.ExperimentNameTaken: 409,
    errors.BeyondHead: 409,
    errors.LeaseLost: 409,
    errors.NotNext: 409,
    errors.LeaseHeld: 409,
    errors.AttemptEnded: 409,
    errors.StaleVersion: 412,
    errors.BodyTooLarge: 413,
    errors.UnsupportedContentType: 415,
    errors.RangeNotSatisfiable: 416,
    errors.UnknownHost: 421,
    errors.TooMuchWaits: 429,
    tracker_errors.StoreBusy: 429,
    errors.Invalid: 422,
    errors.UnknownRecipe: 422,
    errors.KeyReused: 422,
    errors.DigestMismatch: 422,
    tracker_errors.BadInput: 422,
    msgspec.ValidationError: 422,
    ValidationException: 422,
    errors.PositionNotReached: 503,
    tracker_errors.StoreUnavailable: 503,
    tracker_errors.UnknownEvent: 503,
}

RETRY_AFTER_SECONDS = 1
BUSY = "more waits to be written than may wait: send it once more"
UNAVAILABLE = "a database or the place of the blobs cannot be reached or written; the log of the API names it"
"""Its address is nobody's business: whether the API is ready is told without a token."""


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong, as RFC 9457 spells it."""

    type: str
    """`urn:runledger:problem:` and the name of the error."""
    title: str
    status: int
    detail: str
    faults: list[Fault] = []
    """The values that do not fit, each with its place."""
    position: int | None = None
    """How far the read model is, or the log, where a reader asked for more."""
    version: int | None = None
    """The present version, where another was expected."""
    batches: int | None = None
    """How many batches of points the log has, where another one was sent."""
    output_bytes: int | None = None
    """How much output the log has, where other bytes were sent."""


def status_of(error: Exception) -> int:
    """The status of the nearest ancestor in `STATUS`; Litestar's own errors carry theirs."""
    for ancestor in type(error).__mro__:
        if ancestor in STATUS:
            return STATUS[ancestor]
    return error.status_code if isinstance(error, HTTPException) else 500


def problem_of(error: Exception) -> Problem:
    status = status_of(error)
    if status >= 500 and status != 503:
        return Problem(type=urn("InternalError"), title="Internal error", status=status, detail="see the log")
    faults = faults_of(error)
    problem = Problem(
        type=urn(_name(error, status)),
        title=_title(_name(error, status)),
        status=status,
        detail=_detail(error, faults),
        faults=faults,
    )
    return msgspec.structs.replace(problem, **_places(error))


def _places(error: Exception) -> dict[str, int]:
    """How far that is which the caller thought to be elsewhere."""
    match error:
        case errors.PositionNotReached():
            return {"position": error.position}
        case errors.BeyondHead():
            return {"position": error.head}
        case errors.StaleVersion():
            return {"version": error.actual}
        case errors.NotNext():
            before = error.before
            return {
                "version": before.version,
                "batches": before.batches,
                "output_bytes": before.output_bytes,
            }
        case _:
            return {}


def faults_of(error: Exception) -> list[Fault]:
    """Where a value does not fit, whoever found it."""
    if isinstance(error, errors.Invalid):
        return list(error.faults)
    if isinstance(error, tracker_errors.BadInput):
        return [Fault(error.place, error.problem)]
    if isinstance(error, msgspec.ValidationError):
        return [fault_of_message(str(error))]
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        return [_litestar_fault(extra) for extra in error.extra]
    return []


def fault_of_message(message: str) -> Fault:
    """msgspec's message (`Expected … - at `$.a.b``) taken apart; an unknown field joins the path."""
    problem, _, place = message.partition(" - at ")
    path = place.strip("`") or "$"
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", problem):
        return Fault(f"{path}.{unknown[1]}", "unknown field")
    if missing := re.fullmatch(r"Object missing required field `(.*)`", problem):
        return Fault(f"{path}.{missing[1]}", "missing")
    return Fault(path, problem)


def headers_of(error: Exception) -> dict[str, str]:
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    headers["Cache-Control"] = "no-store"
    if isinstance(error, errors.Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, errors.RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.size_bytes}"
    if status_of(error) in (429, 503):
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return headers


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Litestar's handler for every exception."""
    problem = problem_of(error)
    record(error, request.method, request.url.path)
    return Response(problem, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers_of(error))


async def send_answer(error: Exception, send: Send) -> None:
    """The same, where Litestar is not asked."""
    problem = problem_of(error)
    body = encoding.encode(problem)
    headers = headers_of(error) | {"content-type": MEDIA_TYPE, "content-length": str(len(body))}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def record(error: Exception, method: str, path: str) -> None:
    """In our own log: what is our fault, and what the caller is not told."""
    if status_of(error) == 500:
        logger.error("%s %s failed", method, path, exc_info=error)
    elif isinstance(error, tracker_errors.StoreUnavailable) and not _is_busy(error):
        logger.warning("%s %s: %s", method, path, error)


def _is_busy(error: Exception) -> bool:
    return isinstance(error, tracker_errors.StoreBusy)


def urn(name: str) -> str:
    return "urn:runledger:problem:" + re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


RENAMED = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
"""By RFC 9110. Python has these names from 3.13 on, and a problem's type must not depend on that."""


def phrase(status: int) -> str:
    """What a status means, as RFC 9110 has it."""
    return RENAMED.get(status) or HTTPStatus(status).phrase


def _name(error: Exception, status: int) -> str:
    if isinstance(error, HTTPException | msgspec.MsgspecError):
        return phrase(status).title().replace(" ", "").replace("-", "")
    return type(error).__name__


def _title(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).capitalize()


def _detail(error: Exception, faults: list[Fault]) -> str:
    if faults:
        return "; ".join(f"{fault.place}: {fault.problem}" for fault in faults)
    if isinstance(error, tracker_errors.StoreUnavailable):
        return BUSY if _is_busy(error) else UNAVAILABLE
    return error.detail if isinstance(error, HTTPException) else str(error)


def _litestar_fault(extra: Any) -> Fault:
    key, source = extra.get("key", ""), extra.get("source", "")
    source = getattr(source, "value", source)
    if source == "body":
        return Fault(
            "$" if key == "data" else f"$.{key}", "a body is needed" if key == "data" else extra["message"]
        )
    name = key.replace("_", "-").title() if source == "header" else key
    return Fault(f"{source or 'query'}: {name}", extra["message"])
