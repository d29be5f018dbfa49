"""Blobs as files under the names that MLflow shows: bytes, predictions as a table, or a reference."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import msgspec

from runledger.projections.mlflow.mapping import FileContent
from runledger.tracker.blobs import Blobs


@contextmanager
def local_copy(blobs: Blobs, file: FileContent, public_url: str) -> Iterator[Path]:
    """A file that bears the last part of the path; gone afterwards. Raises `BlobMissing`."""
    with TemporaryDirectory(prefix="runledger-mlflow-") as folder:
        path = Path(folder) / PurePosixPath(file.path).name
        match file.kind:
            case "reference":
                path.write_text(_reference(file, public_url))
            case "table":
                lines = Path(folder) / f".{file.digest}"
                blobs.fetch(file.digest, lines)
                write_table(lines, path)
            case _:
                blobs.fetch(file.digest, path)
        yield path


def write_table(lines: Path, to: Path) -> None:
    """JSON lines as the table that MLflow's UI draws, with every column that any line has."""
    columns: dict[str, None] = {}
    for row in _rows(lines):
        columns |= dict.fromkeys(row)
    with to.open("wb") as table:
        table.write(b'{"columns":' + msgspec.json.encode(list(columns)) + b',"data":[')
        for number, row in enumerate(_rows(lines)):
            cells = [row.get(column) for column in columns]
            table.write((b",\n" if number else b"\n") + msgspec.json.encode(cells))
        table.write(b"]}")


def _rows(lines: Path) -> Iterator[dict[str, object]]:
    decoder = msgspec.json.Decoder(dict[str, object])
    with lines.open("rb") as file:
        yield from (decoder.decode(line) for line in file if line.strip())


def _reference(file: FileContent, public_url: str) -> str:
    reference = {
        "digest": file.digest,
        "size_bytes": file.size_bytes,
        "url": f"{public_url.rstrip('/')}/api/v1/blobs/{file.digest}",
    }
    return json.dumps(reference, indent=1)
