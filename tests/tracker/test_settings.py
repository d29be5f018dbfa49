"""Settings come from the environment; what is missing or does not fit is named."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from runledger.tracker.errors import BadSetting
from runledger.tracker.settings import StorageSettings, load


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    needed: str
    port: int = 8600
    ratio: float = 0.5
    is_open: bool = False
    folder: Path = Path("here")
    hosts: tuple[str, ...] = ()
    maybe: str | None = None

    def __post_init__(self) -> None:
        if self.port == 1:
            raise ValueError("port 1 is taken")


def test_each_field_is_a_variable() -> None:
    environ = {
        "RUNLEDGER_NEEDED": "x",
        "RUNLEDGER_PORT": "9000",
        "RUNLEDGER_RATIO": "0.25",
        "RUNLEDGER_IS_OPEN": "true",
        "RUNLEDGER_FOLDER": "/data",
        "RUNLEDGER_HOSTS": "a, b",
        "RUNLEDGER_MAYBE": "text",
        "OTHER": "ignored",
    }
    assert load(Sample, environ) == Sample(
        needed="x", port=9000, ratio=0.25, is_open=True, folder=Path("/data"), hosts=("a", "b"), maybe="text"
    )


def test_what_is_not_set_or_empty_has_its_default() -> None:
    assert load(Sample, {"RUNLEDGER_NEEDED": "x", "RUNLEDGER_PORT": " "}) == Sample(needed="x")


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(BadSetting, match="RUNLEDGER_NEEDED") as problem:
        load(Sample, {})
    assert problem.value.variable == "RUNLEDGER_NEEDED"


@pytest.mark.parametrize(("variable", "text"), [("PORT", "many"), ("IS_OPEN", "perhaps"), ("RATIO", "x")])
def test_a_variable_that_does_not_fit_is_named(variable: str, text: str) -> None:
    with pytest.raises(BadSetting) as problem:
        load(Sample, {"RUNLEDGER_NEEDED": "x", f"RUNLEDGER_{variable}": text})
    assert problem.value.variable == f"RUNLEDGER_{variable}"
    assert text in problem.value.problem


def test_what_the_fields_break_together_is_a_bad_setting() -> None:
    with pytest.raises(BadSetting, match="port 1 is taken"):
        load(Sample, {"RUNLEDGER_NEEDED": "x", "RUNLEDGER_PORT": "1"})


def test_another_prefix_may_be_asked_for() -> None:
    assert load(Sample, {"X_NEEDED": "x"}, prefix="X_").needed == "x"


def test_storage_lies_under_the_data_folder() -> None:
    storage = load(StorageSettings, {"RUNLEDGER_DATA": "/data"})
    assert (storage.ledger, storage.views) == ("sqlite:////data/ledger.db", "sqlite:////data/views.db")
    assert storage.blobs == "file:///data/blobs"


def test_storage_may_lie_elsewhere() -> None:
    storage = load(
        StorageSettings,
        {
            "RUNLEDGER_LEDGER_URL": "postgresql://host/db",
            "RUNLEDGER_VIEWS_URL": "postgresql://other/db",
            "RUNLEDGER_BLOBS_URL": "s3://bucket",
        },
    )
    urls = (storage.ledger, storage.views, storage.blobs)
    assert urls == ("postgresql://host/db", "postgresql://other/db", "s3://bucket")


def test_views_lie_beside_a_ledger_on_postgresql() -> None:
    assert StorageSettings(ledger_url="postgresql://host/db").views == "postgresql://host/db"
    assert StorageSettings(data=Path("/d"), ledger_url="sqlite:////x.db").views == "sqlite:////d/views.db"


def test_a_home_that_nobody_has_is_a_bad_setting() -> None:
    with pytest.raises(BadSetting, match="RUNLEDGER_DATA"):
        load(StorageSettings, {"RUNLEDGER_DATA": "~no such user/data"})
