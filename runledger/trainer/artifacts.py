"""What recipes leave behind that is no file yet: pixels to a PNG, rows to JSON lines.

Written to a file in the attempt's scratch folder and kept through `Context.artifact`. numpy and Pillow
are imported when an image is kept, not before.
"""

from __future__ import annotations

import io
import math
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from runledger.trainer.errors import MisusedContext
from runledger.trainer.recipe import Context

if TYPE_CHECKING:
    from numpy.typing import NDArray

PNG = "image/png"
JSON_LINES = "application/x-ndjson"


def check_path(path: str) -> None:
    """Raises `MisusedContext` for what is no relative name of an artifact."""
    parts = path.split("/")
    if not path or path.startswith("/") or ".." in parts or "" in parts or "\\" in path:
        raise MisusedContext(f"an artifact's path is relative, with forward slashes: {path!r}")


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

    found = np.asarray(pixels)
    is_grey_or_colour = found.ndim == 2 or (found.ndim == 3 and found.shape[2] == 3)
    if not is_grey_or_colour or found.size == 0:
        raise MisusedContext(f"an image is [height, width] or [height, width, 3], not {list(found.shape)}")
    if np.issubdtype(found.dtype, np.floating):
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
            built = _plain(msgspec.to_builtins(row, enc_hook=_from_numpy))
            lines.append(msgspec.json.encode(built) + b"\n")
        except (TypeError, NotImplementedError, OverflowError) as error:
            raise MisusedContext(f"row {index} of a table cannot be written: {error}") from error
        if not isinstance(built, dict):
            raise MisusedContext(f"row {index} of a table is a {type(row).__name__}, not named columns")
    return b"".join(lines)


def _from_numpy(value: Any) -> Any:
    """numpy's scalars and arrays, and jax's, without importing either."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} has no place in JSON")


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity: they are spelled as everywhere else in Runledger."""
    if isinstance(value, dict):
        return {key: _plain(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(below) for below in value]
    return spelled(value) if isinstance(value, float) else value


def spelled(value: float) -> float | str:
    """The number, or the word for one that JSON does not have."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _keep(context: Context, path: str, content: bytes, media_type: str) -> None:
    check_path(path)
    with tempfile.NamedTemporaryFile(dir=context.folder) as file:
        file.write(content)
        file.flush()
        context.artifact(Path(file.name), path, media_type=media_type)
