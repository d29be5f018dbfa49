"""Datasets: made by a named generator, or uploaded as JSON lines."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import Body, FromPath, QueryParameter
from msgspec.structs import replace

from runledger.api.answers import Dataset, DatasetWritten, Page
from runledger.api.backend import Backend
from runledger.api.http.encoding import JsonResponse
from runledger.api.http.etags import etag
from runledger.api.http.examples import UPLOAD
from runledger.api.http.given import GivenBackend, GivenMetadata, GivenViews
from runledger.api.http.paging import DEFAULT_LIMIT, Cursor, Limit, seal, unseal
from runledger.api.http.parameters import AsOf
from runledger.api.reading import links
from runledger.api.reading.shapes import shaped
from runledger.api.reading.unseen import not_seen
from runledger.api.requests import DatasetRequest, Format
from runledger.api.writing import material, uploads
from runledger.projections import datasets
from runledger.tracker.aggregates.dataset import DescribeDataset, RegisterDataset
from runledger.tracker.aggregates.registry import DATASET
from runledger.tracker.descriptions import Name
from runledger.tracker.envelope import Metadata
from runledger.tracker.events.dataset import Uploaded
from runledger.tracker.ids import Digest

NDJSON = "application/x-ndjson"


@post("/", sync_to_thread=True, summary="Make a dataset")
def make_dataset(
    backend: GivenBackend,
    metadata: GivenMetadata,
    data: Annotated[DatasetRequest, Body(description="A generator and its options.")],
) -> Response[DatasetWritten]:
    """The same options give the same bytes, and the same bytes are the same dataset."""
    made = material.dataset(backend, data, data.name)
    if data.description:
        described = DescribeDataset(digest=Digest(made.reference), description=data.description)
        made = material.Material(made.reference, (*made.commands, described))
    return _written(backend, made.reference, material.register(backend, metadata, made))


@dataclass
class UploadOperation(Operation):
    """The body is a stream that no parameter of the handler names, so it is described here."""

    def __post_init__(self) -> None:
        media = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING), example=UPLOAD)
        self.request_body = RequestBody(
            content={NDJSON: media}, required=True, description="One JSON object a line."
        )


@post(
    "/uploads",
    summary="Upload a dataset",
    operation_class=UploadOperation,
    opt={"content_types": (NDJSON,)},
    request_max_body_size=None,
)
async def upload_dataset(
    request: Request[str, Any, State],
    backend: GivenBackend,
    metadata: GivenMetadata,
    format: Annotated[Format, QueryParameter(description="`traces`: prompt, steps, answer. `text`: text.")],
    name: Annotated[Name, QueryParameter(description="What people call it.")],
    filename: Annotated[str, QueryParameter(required=False, max_length=500)] = "",
) -> Response[DatasetWritten]:
    """Every line is checked, and a bad one named; nothing is stored unless all of them fit."""
    body = uploads.limited(request, backend.settings.max_upload_bytes)
    loop = asyncio.get_running_loop()
    chunks = uploads.chunks_from(loop, body)
    receive = partial(_receive, backend, metadata, format, name, filename, chunks)
    return await loop.run_in_executor(backend.uploading, receive)


def _receive(
    backend: Backend,
    metadata: Metadata,
    format: Format,
    name: str,
    filename: str,
    chunks: uploads.Chunks,
) -> Response[DatasetWritten]:
    contents = uploads.store(backend, format, chunks)
    command = RegisterDataset(
        digest=contents.digest,
        name=name,
        format=format,
        items=contents.items,
        size_bytes=contents.size_bytes,
        source=Uploaded(filename=filename),
        statistics=contents.statistics,
    )
    done = backend.dispatcher.dispatch(command, metadata)
    return _written(backend, contents.digest, done.position)


def _written(backend: Backend, digest: str, position: int) -> Response[DatasetWritten]:
    state = backend.dispatcher.load(DATASET, digest)
    written = DatasetWritten(
        digest=digest,
        items=state.registered.items,
        size_bytes=state.registered.size_bytes,
        position=position,
        version=state.version,
    )
    headers = etag(state.version) | {"Location": f"/api/v1/datasets/{digest}"}
    return JsonResponse(written, status_code=201, headers=headers)


@get("/", sync_to_thread=True, summary="List datasets")
def list_datasets(
    views: GivenViews, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None, as_of: AsOf = None
) -> Page[Dataset]:
    """The newest first."""
    with views.read() as conn:
        page = datasets.list_datasets(conn, limit=limit, after=unseal(cursor, int), as_of=as_of)
    return Page(
        items=[_answer(each) for each in page.datasets],
        next=None if page.next is None else seal(page.next),
    )


@get("/{digest:str}", sync_to_thread=True, summary="One dataset")
def show_dataset(
    backend: GivenBackend, views: GivenViews, digest: FromPath[str], as_of: AsOf = None
) -> Response[Dataset]:
    with views.read() as conn:
        found = datasets.get_dataset(conn, digest, as_of)
    if found is None:
        not_seen(backend, "dataset", digest, as_of)
    return JsonResponse(_answer(found), headers=etag(found.version))


def _answer(dataset: datasets.Dataset) -> Dataset:
    return replace(shaped(dataset, Dataset), links=links.of_blob(dataset.digest))


router = Router(
    "/datasets",
    tags=["datasets"],
    opt={"projections": ["datasets"]},
    route_handlers=[make_dataset, upload_dataset, list_datasets, show_dataset],
)
