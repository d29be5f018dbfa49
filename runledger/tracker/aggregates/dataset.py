"""The dataset: immutable bytes named by their digest, registered once the bytes are stored.

Whoever makes the same bytes again registers nothing new: the first source and name stay.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import assert_never

import msgspec
from msgspec.structs import replace

from runledger.tracker.aggregates.errors import DatasetAlreadyRegistered
from runledger.tracker.aggregates.texts import check_name
from runledger.tracker.errors import NotFound
from runledger.tracker.events.dataset import (
    DatasetDescribed,
    DatasetEvent,
    DatasetRegistered,
    Generated,
    Uploaded,
)
from runledger.tracker.ids import Digest


class DatasetCommand(msgspec.Struct, frozen=True, kw_only=True):
    digest: Digest


class RegisterDataset(DatasetCommand, frozen=True, kw_only=True):
    name: str
    format: str
    items: int
    size_bytes: int
    source: Generated | Uploaded
    statistics: dict[str, float] = {}


class DescribeDataset(DatasetCommand, frozen=True, kw_only=True):
    description: str


Command = RegisterDataset | DescribeDataset


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    registered: DatasetRegistered
    description: str = ""


def decide(state: Dataset | None, command: Command) -> tuple[DatasetEvent, ...]:
    if isinstance(command, RegisterDataset):
        return _register(state, command)
    if state is None:
        raise NotFound("dataset", command.digest)
    match command:
        case DescribeDataset():
            changes = command.description != state.description
            return (DatasetDescribed(description=command.description),) if changes else ()
        case _:
            assert_never(command)


def _register(state: Dataset | None, command: RegisterDataset) -> tuple[DatasetEvent, ...]:
    check_name(command.name)
    if state is None:
        return (
            DatasetRegistered(
                name=command.name,
                format=command.format,
                items=command.items,
                size_bytes=command.size_bytes,
                source=command.source,
                statistics=command.statistics,
            ),
        )
    if state.registered.format != command.format:
        raise DatasetAlreadyRegistered(command.digest, state.registered.format)
    return ()


def evolve(state: Dataset | None, event: DatasetEvent) -> Dataset:
    if isinstance(event, DatasetRegistered):
        return Dataset(version=1, registered=event)
    if state is None:
        raise ValueError(f"{event.tag} stands before DatasetRegistered")
    return replace(state, version=state.version + 1, description=event.description)


def fold(events: Iterable[DatasetEvent]) -> Dataset | None:
    return reduce(evolve, events, None)
