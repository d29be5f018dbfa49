"""Datasets: the same bytes are registered once, whoever made them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from runledger.tracker.aggregates.dataset import DescribeDataset, RegisterDataset, fold
from runledger.tracker.aggregates.errors import DatasetAlreadyRegistered
from runledger.tracker.errors import BadInput, NotFound
from runledger.tracker.events.dataset import DatasetDescribed, DatasetRegistered, Generated, Uploaded
from runledger.tracker.ids import Digest
from tests.tracker.deciders import given

D = Digest("d" * 64)
MADE = Generated(generator="arithmetic", options={"seed": 1})
REGISTERED = DatasetRegistered(name="sums", format="traces", items=3, size_bytes=99, source=MADE)
REGISTER = RegisterDataset(digest=D, name="sums", format="traces", items=3, size_bytes=99, source=MADE)


def test_a_dataset_is_registered() -> None:
    given().when(REGISTER).then(REGISTERED)


def test_the_same_bytes_from_elsewhere_are_no_news() -> None:
    upload = replace(REGISTER, name="mine", source=Uploaded(filename="sums.jsonl"))
    given(REGISTERED).when(REGISTER).then_nothing()
    given(REGISTERED).when(upload).then_nothing()


def test_the_same_bytes_in_another_format_are_refused() -> None:
    given(REGISTERED).when(replace(REGISTER, format="text")).refused_with(
        DatasetAlreadyRegistered, "as traces"
    )


def test_a_name_is_a_name() -> None:
    given().when(replace(REGISTER, name="")).refused_with(BadInput, r"\$\.name")


def test_it_is_described() -> None:
    describe = DescribeDataset(digest=D, description="small")
    given().when(describe).refused_with(NotFound)
    given(REGISTERED).when(describe).then(DatasetDescribed(description="small"))
    given(REGISTERED, DatasetDescribed(description="small")).when(describe).then_nothing()


def test_a_stream_that_does_not_begin_with_its_registration_is_a_bug() -> None:
    with pytest.raises(ValueError, match="stands before"):
        fold([DatasetDescribed(description="small")])
