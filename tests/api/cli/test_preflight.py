from __future__ import annotations

import socket
from pathlib import Path

import pytest

from runledger.api.cli import preflight
from runledger.api.cli.exits import SetupProblem


def test_a_data_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    preflight.check_data_folder(tmp_path / "a" / "b")

    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(SetupProblem, match=rf"data folder {tmp_path}/file/data: "):
        preflight.check_data_folder(tmp_path / "file" / "data")


def test_too_little_room_is_named_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "LEAST_FREE_BYTES", 2**60)

    with pytest.raises(SetupProblem, match="its disk is full"):
        preflight.check_data_folder(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_named_with_the_variable_that_changes_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(SetupProblem, match=rf"port {port} on 127.0.0.1 is taken .* RUNLEDGER_PORT"):
            preflight.check_port_is_free("127.0.0.1", port, "RUNLEDGER_PORT")


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(SetupProblem, match=r"port 8600 on 192\.0\.2\.1 cannot assign"):
        preflight.check_port_is_free("192.0.2.1", 8600, "RUNLEDGER_PORT")


def test_a_free_port_can_be_bound() -> None:
    port = preflight.free_port()
    preflight.check_port_is_free("127.0.0.1", port, "RUNLEDGER_PORT")


def test_one_folder_is_used_by_one_up_at_a_time(tmp_path: Path) -> None:
    in_use = pytest.raises(SetupProblem, match=r"in use by process \d+")
    with preflight.sole_use(tmp_path), in_use, preflight.sole_use(tmp_path):
        pass
    with preflight.sole_use(tmp_path):
        pass


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://", "nonsense"])
def test_an_mlflow_that_does_not_answer_is_named(url: str) -> None:
    with pytest.raises(SetupProblem, match=f"MLflow at {url} does not answer"):
        preflight.check_mlflow_answers(url)
