"""What recipes leave behind that is no file yet: pixels to a PNG, rows to JSON lines.

Written to a file in the attempt's scratch folder and kept through `Context.artifact`. numpy and Pillow
are imported when an image is kept, not before.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec

from runledger.tracker.aggregates.texts import MAX_KEY_CHARS
from runledger.tracker.points import CONTROL
from runledger.trainer.errors import MisusedContext
from runledger.trainer.plain import text
from runledger.trainer.recipe import Context
from runledger.trainer.rows import encode_row

if TYPE_CHECKING:
    from numpy.typing import NDArray

PNG = "image/png"
JSON_LINES = "application/x-ndjson"


def check_path(path: str) -> None:
    """Raises `MisusedContext` for what is no relative name of an artifact."""
    plain = PurePosixPath(text("an artifact's path", path))
    if str(plain) != path or plain.is_absolute() or ".." in plain.parts or not plain.parts:
        raise MisusedContext(f"an artifact's path is relative and plain, with forward slashes: {path!r}")
    if "\\" in path or CONTROL.search(path):
        raise MisusedContext(f"an artifact's path has no backslash and no control character: {path!r}")
    if len(path) > MAX_KEY_CHARS:
        raise MisusedContext(f"an artifact's path has {MAX_KEY_CHARS} characters at most, not {len(path)}")


def keep_image(context: Context, path: str, pixels: NDArray[Any]) -> None:
    """Raises `MisusedContext` for pixels of another shape or kind."""
    _keep(context, path, encode_image(pixels), PNG)


def keep_table(context: Context, path: str, rows: Iterable[Mapping[str, Any] | msgspec.Struct]) -> None:
    """Raises `MisusedContext` for rows that cannot be written."""
    _keep(context, path, encode_table(rows), JSON_LINES)


def encode_image(pixels: NDArray[Any]) -> bytes:
    """[height, width] or [height, width, 3], uint8 or floats from 0 to 1, as the bytes of a PNG."""
    import numpy as np
    from PIL import Image

    try:
        found = np.asarray(pixels)
    except ValueError as problem:
        raise MisusedContext(f"these are no pixels: {problem}") from None
    is_grey_or_colour = found.ndim == 2 or (found.ndim == 3 and found.shape[2] == 3)
    if not is_grey_or_colour or found.size == 0:
        raise MisusedContext(f"an image is [height, width] or [height, width, 3], not {list(found.shape)}")
    if np.issubdtype(found.dtype, np.floating) or found.dtype.name == "bfloat16":
        found = found.astype(np.float64)
        found = np.round(np.clip(np.nan_to_num(found), 0.0, 1.0) * 255).astype(np.uint8)
    if found.dtype != np.uint8:
        raise MisusedContext(f"an image is of uint8 or of floats from 0 to 1, not of {found.dtype}")
    encoded = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(found)).save(encoded, format="PNG")
    return encoded.getvalue()


def encode_table(rows: Iterable[Mapping[str, Any] | msgspec.Struct]) -> bytes:
    """One JSON object a line; numbers of numpy are numbers, its arrays lists."""
    lines = []
    for index, row in enumerate(rows):
        try:
            lines.append(encode_row(row))
        except MisusedContext as problem:
            raise MisusedContext(f"row {index} of a table {problem}") from None
    return b"".join(lines)


def _keep(context: Context, path: str, content: bytes, media_type: str) -> None:
    check_path(path)
    with tempfile.NamedTemporaryFile(dir=context.folder) as file:
        file.write(content)
        file.flush()
        context.artifact(Path(file.name), path, media_type=media_type)
