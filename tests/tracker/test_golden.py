"""Every event that was ever stored can be read, and is written today as it was on its first day."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from runledger.tracker import events
from runledger.tracker.errors import UnknownEvent
from runledger.tracker.events import CATALOGUE
from runledger.tracker.events.upcasts import UPCASTS
from tests.tracker.golden.expected import EXPECTED

FOLDER = Path(__file__).parent / "golden"

TAGS = re.findall(
    r"\w+",
    """
RunRequested RunStarted RunEnvironmentRecorded RunParamsRecorded RunCheckpointed RunCheckpointDeleted
RunArtifactRecorded RunEvaluated RunCancellationRequested RunCancelled RunPauseRequested RunPaused
RunResumed RunAttemptLost RunAttemptReturned RunPreempted RunRetried RunCompleted RunFailed RunRenamed
RunTagged RunNoted RunHidden RunShown
MetricsRecorded LogsRecorded
ExperimentCreated ExperimentRenamed ExperimentArchived ExperimentRestored
DatasetRegistered DatasetDescribed
BenchmarkDefined BaselinePromoted BaselineWithdrawn
EvaluationRequested EvaluationStarted EvaluationLost EvaluationCompleted EvaluationFailed
EvaluationSuperseded
ModelCreated ModelRenamed ModelVersionRegistered AliasMoved
SweepRequested TrialProposed TrialReported TrialPruned TrialCompleted TrialFailed SweepCompleted
SweepCancelled
LogRestored
""",
)

EVERY_SCHEMA = [
    (tag, schema) for tag, event_type in CATALOGUE.items() for schema in range(1, event_type.schema + 1)
]


def stored(tag: str, schema: int) -> bytes:
    return bytes.fromhex((FOLDER / f"{tag}.{schema}.hex").read_text())


def test_the_tags_are_these_for_ever() -> None:
    assert sorted(CATALOGUE) == sorted(TAGS)


def test_every_tag_is_written_out_in_its_own_class() -> None:
    for tag, event_type in CATALOGUE.items():
        assert event_type.__dict__["tag"] == tag


def test_every_schema_has_its_bytes_and_nothing_else_lies_there() -> None:
    assert sorted(EXPECTED) == sorted(EVERY_SCHEMA)
    assert sorted(path.stem for path in FOLDER.glob("*.hex")) == sorted(
        f"{tag}.{schema}" for tag, schema in EVERY_SCHEMA
    )


@pytest.mark.parametrize(("tag", "schema"), EVERY_SCHEMA)
def test_old_bytes_mean_what_they_meant(tag: str, schema: int) -> None:
    decoded = events.decode(tag, schema, stored(tag, schema))
    assert type(decoded) is CATALOGUE[tag]
    # NaN is not equal to itself, its bytes are.
    assert events.encode(decoded) == events.encode(EXPECTED[tag, schema])


@pytest.mark.parametrize("tag", TAGS)
def test_todays_schema_is_written_as_it_was(tag: str) -> None:
    schema = CATALOGUE[tag].schema
    assert events.encode(EXPECTED[tag, schema]) == stored(tag, schema)


@pytest.mark.parametrize("tag", TAGS)
def test_a_field_that_a_newer_version_added_is_passed_over(tag: str) -> None:
    schema = CATALOGUE[tag].schema
    fields = msgspec.msgpack.decode(stored(tag, schema)) | {"added_later": 1}
    decoded = events.decode(tag, schema, msgspec.msgpack.encode(fields))
    assert events.encode(decoded) == stored(tag, schema)


def test_an_unknown_tag_or_a_newer_schema_stops_the_reader() -> None:
    with pytest.raises(UnknownEvent, match="RunTeleported schema 1"):
        events.decode("RunTeleported", 1, b"\x80")
    with pytest.raises(UnknownEvent, match="RunHidden schema 2"):
        events.decode("RunHidden", 2, stored("RunHidden", 1))


def test_every_older_schema_has_its_upcast_and_no_other() -> None:
    steps = {(tag, schema) for tag, schema in EVERY_SCHEMA if schema < CATALOGUE[tag].schema}
    assert set(UPCASTS) == steps
