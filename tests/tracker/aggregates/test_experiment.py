"""Experiments: created once, renamed, put away and taken out again."""

from __future__ import annotations

import pytest

from runledger.tracker.aggregates.errors import ExperimentAlreadyCreated, ExperimentIsArchived
from runledger.tracker.aggregates.experiment import (
    ArchiveExperiment,
    Command,
    CreateExperiment,
    RenameExperiment,
    RestoreExperiment,
    fold,
)
from runledger.tracker.errors import BadInput, NotFound
from runledger.tracker.events.experiment import (
    ExperimentArchived,
    ExperimentCreated,
    ExperimentRenamed,
    ExperimentRestored,
)
from runledger.tracker.ids import ExperimentId
from tests.tracker.deciders import given

X = ExperimentId("x")
CREATED = ExperimentCreated(name="sums", description="of two numbers")
CREATE = CreateExperiment(experiment_id=X, name="sums", description="of two numbers")


def test_an_experiment_is_created_once() -> None:
    given().when(CREATE).then(CREATED)
    given(CREATED).when(CREATE).then_nothing()
    given(CREATED).when(CreateExperiment(experiment_id=X, name="other")).refused_with(
        ExperimentAlreadyCreated
    )


def test_a_name_is_a_name() -> None:
    given().when(CreateExperiment(experiment_id=X, name=" ")).refused_with(BadInput, r"\$\.name")


def test_it_is_renamed() -> None:
    rename = RenameExperiment(experiment_id=X, name="products")
    given(CREATED).when(rename).then(ExperimentRenamed(name="products"))
    given(CREATED, ExperimentRenamed(name="products")).when(rename).then_nothing()


def test_it_is_put_away_and_taken_out_again() -> None:
    archive, restore = ArchiveExperiment(experiment_id=X), RestoreExperiment(experiment_id=X)
    given(CREATED).when(restore).then_nothing()
    given(CREATED).when(archive).then(ExperimentArchived())
    given(CREATED, ExperimentArchived()).when(archive).then_nothing()
    given(CREATED, ExperimentArchived()).when(restore).then(ExperimentRestored())


def test_what_is_put_away_does_not_change() -> None:
    given(CREATED, ExperimentArchived()).when(RenameExperiment(experiment_id=X, name="new")).refused_with(
        ExperimentIsArchived
    )


@pytest.mark.parametrize(
    "command",
    [
        RenameExperiment(experiment_id=X, name="new"),
        ArchiveExperiment(experiment_id=X),
        RestoreExperiment(experiment_id=X),
    ],
)
def test_what_nobody_created_is_not_found(command: Command) -> None:
    given().when(command).refused_with(NotFound, "no experiment 'x'")


def test_the_state_has_todays_name_and_the_first() -> None:
    experiment = fold([CREATED, ExperimentRenamed(name="b"), ExperimentArchived(), ExperimentRestored()])
    assert experiment is not None
    assert (experiment.version, experiment.name, experiment.created.name) == (4, "b", "sums")
    assert not experiment.is_archived


def test_a_stream_that_does_not_begin_with_its_creation_is_a_bug() -> None:
    with pytest.raises(ValueError, match="stands before"):
        fold([ExperimentArchived()])
