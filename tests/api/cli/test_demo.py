from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runledger.api.cli import demo, preflight
from runledger.api.cli.exits import SetupProblem

GOOD: dict[str, Any] = {
    "run_id": "r",
    "exact_match_before": 0.0,
    "exact_match_after": 0.97,
    "items": 512,
    "seconds": 100.04,
    "mlflow_run": "m",
}


def result(**changes: Any) -> demo.Result:
    return demo.Result(**{**GOOD, **changes})


def test_the_last_line_can_be_read_by_a_machine() -> None:
    assert result().line == "RESULT exact_match_before=0.0000 exact_match_after=0.9700 seconds=100.0"


@pytest.mark.parametrize(
    "changes",
    [
        {"items": 499},
        {"exact_match_before": 0.06},
        {"exact_match_after": 0.89},
        {"exact_match_after": float("nan")},
        {"exact_match_before": float("nan")},
    ],
)
def test_a_demo_that_shows_too_little_falls_short(changes: dict[str, Any]) -> None:
    assert result().shortcomings() == []
    assert len(result(**changes).shortcomings()) == 1


def test_the_folder_of_an_earlier_demo_is_emptied(tmp_path: Path) -> None:
    with preflight.sole_use(tmp_path):
        (tmp_path / "ledger.db").write_text("old")

    demo.clear(tmp_path)

    assert not tmp_path.exists()


def test_a_folder_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")

    with pytest.raises(SetupProblem, match="is not empty and not the data folder"):
        demo.clear(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_the_folder_of_a_demo_that_still_runs_is_left_alone(tmp_path: Path) -> None:
    with preflight.sole_use(tmp_path), pytest.raises(SetupProblem, match="in use by process"):
        demo.clear(tmp_path)
    assert tmp_path.exists()


def test_settings_for_other_use_do_not_reach_the_demo() -> None:
    environ = {"PATH": "/bin", "RUNLEDGER_LEDGER_URL": "postgresql://elsewhere/ledger"}

    assert demo.own_environment(environ) == {"PATH": "/bin"}
