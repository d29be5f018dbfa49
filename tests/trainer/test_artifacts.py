"""Pixels become PNGs and rows become JSON lines; what is neither is refused."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import ml_dtypes
import msgspec
import numpy as np
import pytest
from PIL import Image

from runledger.trainer.artifacts import encode_image, encode_table
from runledger.trainer.errors import MisusedContext
from runledger.trainer.standalone import StandaloneContext


def pixels_of(png: bytes) -> Any:
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    return np.asarray(image)


def test_floats_are_from_0_to_1_and_bytes_stay_as_they_are() -> None:
    grey = pixels_of(encode_image(np.array([[0.0, 0.5, 1.0], [-1.0, 2.0, math.nan]])))
    assert grey.tolist() == [[0, 128, 255], [0, 255, 0]]
    colour = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert np.array_equal(pixels_of(encode_image(colour)), colour)


@pytest.mark.parametrize("kind", ["float16", "float32", "bfloat16"])
def test_pixels_may_be_of_whatever_floats_a_network_gives(kind: str) -> None:
    pixels = np.array([[0.0, 0.25, 1.0]]).astype(np.dtype(getattr(ml_dtypes, kind, kind)))
    assert pixels_of(encode_image(pixels)).tolist() == [[0, 64, 255]]


@pytest.mark.parametrize(
    ("pixels", "problem"),
    [
        ([[0.0], [0.0, 1.0]], "these are no pixels"),
        (np.zeros(4), r"not \[4\]"),
        (np.zeros((2, 2, 4), np.uint8), r"not \[2, 2, 4\]"),
        (np.zeros((0, 3)), r"not \[0, 3\]"),
        (np.zeros((2, 2), np.int64), "not of int64"),
    ],
)
def test_what_is_no_image_is_refused(pixels: Any, problem: str) -> None:
    with pytest.raises(MisusedContext, match=problem):
        encode_image(pixels)


class Row(msgspec.Struct):
    digit: int
    share: float


def test_rows_are_mappings_or_structs_with_numbers_of_numpy() -> None:
    table = encode_table([{"digit": np.int64(3), "pixels": np.arange(2), "x": math.nan}, Row(4, math.inf)])
    assert [msgspec.json.decode(line) for line in table.splitlines()] == [
        {"digit": 3, "pixels": [0, 1], "x": "NaN"},
        {"digit": 4, "share": "Infinity"},
    ]


def test_a_row_that_cannot_be_written_is_named() -> None:
    with pytest.raises(MisusedContext, match="row 1 of a table cannot be written: a object has no place"):
        encode_table([{"a": 1}, {"a": object()}])
    with pytest.raises(MisusedContext, match="row 0 of a table is a list"):
        encode_table([[1, 2]])  # type: ignore[list-item]


def test_images_and_tables_are_kept_as_artifacts(tmp_path: Path) -> None:
    context = StandaloneContext(tmp_path, datasets={})
    context.image("plots/grey.png", np.zeros((2, 2)))
    context.table("rows.jsonl", [{"a": 1}])
    assert pixels_of(context.artifacts["plots/grey.png"].read_bytes()).shape == (2, 2)
    assert context.artifacts["rows.jsonl"].read_text() == '{"a":1}\n'
    assert list(context.folder.iterdir()) == []


@pytest.mark.parametrize("path", ["/tmp/a.png", "../a.png", "a//b.png", ""])
def test_an_artifact_stays_in_its_place(path: str, tmp_path: Path) -> None:
    with pytest.raises(MisusedContext, match="an artifact's path is relative"):
        StandaloneContext(tmp_path, datasets={}).image(path, np.zeros((2, 2)))
