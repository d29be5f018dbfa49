"""Commands over HTTP: dispatched under If-Match, answered with the position and the new ETag."""

from __future__ import annotations

from litestar import Response

from runledger.api.answers import Written
from runledger.api.backend import Backend
from runledger.api.http.encoding import JsonResponse
from runledger.api.http.etags import etag, expected_version, stale_is_refused
from runledger.tracker.aggregates.registry import AnyCommand
from runledger.tracker.envelope import Metadata
from runledger.tracker.store import hints


def changed(
    backend: Backend, metadata: Metadata, if_match: str | None, *commands: AnyCommand
) -> Response[Written]:
    """Carry out the commands, all to one aggregate, in one append. Raises what they are refused with."""
    expected = expected_version(if_match)
    with stale_is_refused(expected):
        done = backend.dispatcher.dispatch_all(*commands, metadata=metadata, expected_version=expected)
    hints.ring(backend.ledger)
    written = Written(position=done.position, version=done.version)
    return JsonResponse(written, headers=etag(done.version))
