"""Bodies that no parameter of a handler names, because the handler reads them itself: described by hand."""

from __future__ import annotations

from dataclasses import dataclass

from litestar.openapi.spec import OpenAPIMediaType, Operation, Reference, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType

from runledger.api.batches import JSON, MSGPACK

OCTETS = "application/octet-stream"
METRICS = "MetricsBody"
"""The name of its schema, which the document draws from the Struct."""


@dataclass
class MetricsOperation(Operation):
    """A batch of points in JSON or in MessagePack."""

    def __post_init__(self) -> None:
        json = OpenAPIMediaType(schema=Reference(ref=f"#/components/schemas/{METRICS}"))
        packed = OpenAPIMediaType(
            schema=Schema(
                type=OpenAPIType.STRING,
                format=OpenAPIFormat.BINARY,
                description="As in JSON, but key_index, step, time and value are raw little-endian arrays:"
                " uint16, int64, int64 (µs since 1970 UTC) and float64.",
            )
        )
        self.request_body = RequestBody(
            content={JSON: json, MSGPACK: packed}, required=True, description="The next batch of points."
        )


@dataclass
class OutputOperation(Operation):
    """Bytes as they were printed."""

    def __post_init__(self) -> None:
        media = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY))
        self.request_body = RequestBody(content={OCTETS: media}, required=True, description="The bytes.")
