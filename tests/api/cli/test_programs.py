from __future__ import annotations

from pathlib import Path

from runledger.api.cli.processes import Program
from runledger.api.cli.programs import child_environment, mlflow_address, programs
from runledger.api.cli.settings import ClientSettings, UpSettings, reachable
from runledger.tracker.settings import load


def wanted(folder: Path, with_mlflow: bool = True, **settings: str) -> dict[str, Program]:
    up = load(UpSettings, {"RUNLEDGER_DATA": str(folder), **settings})
    env = child_environment(up, {"PATH": "/bin", **settings}, with_mlflow=with_mlflow)
    return {program.name: program for program in programs(up, env, with_mlflow=with_mlflow)}


def test_everything_runs_by_default_and_the_worker_stops_first(tmp_path: Path) -> None:
    assert list(wanted(tmp_path)) == ["mlflow", "projections", "projections.mlflow", "api", "trainer"]


def test_without_mlflow_neither_server_nor_sink_runs(tmp_path: Path) -> None:
    found = wanted(tmp_path, with_mlflow=False)

    assert list(found) == ["projections", "api", "trainer"]
    assert "RUNLEDGER_MLFLOW_URL" not in found["api"].env


def test_an_mlflow_of_ones_own_gets_only_the_sink(tmp_path: Path) -> None:
    found = wanted(tmp_path, RUNLEDGER_MLFLOW_URL="http://mlflow.example")

    assert "mlflow" not in found
    assert found["projections.mlflow"].env["RUNLEDGER_MLFLOW_URL"] == "http://mlflow.example"


def test_the_mlflow_server_is_on_loopback_and_calls_nobody(tmp_path: Path) -> None:
    server = wanted(tmp_path, RUNLEDGER_HOST="0.0.0.0")["mlflow"]

    assert server.command[server.command.index("--host") + 1] == "127.0.0.1"
    assert server.command[server.command.index("--workers") + 1] == "1"
    assert server.env["MLFLOW_DISABLE_TELEMETRY"] == server.env["DO_NOT_TRACK"] == "true"
    assert server.env["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert f"sqlite:///{tmp_path}/mlflow/mlflow.db" in server.command


def test_the_children_get_one_absolute_data_folder_and_the_settings(tmp_path: Path) -> None:
    for program in wanted(tmp_path, RUNLEDGER_BROKER_URL="redis://somewhere").values():
        assert program.env["RUNLEDGER_DATA"] == str(tmp_path)
        assert program.env["RUNLEDGER_BROKER_URL"] == "redis://somewhere"
        assert program.env["PATH"] == "/bin"


def test_the_worker_gets_longer_to_stop_than_its_training(tmp_path: Path) -> None:
    assert wanted(tmp_path)["trainer"].stop_seconds > 60 + 5 + 15 + 15
    patient = wanted(tmp_path, RUNLEDGER_GRACE_SECONDS="600")["trainer"]
    assert patient.stop_seconds > 600
    assert patient.env["RUNLEDGER_GRACE_SECONDS"] == "600"


def test_each_process_has_a_port_for_its_numbers(tmp_path: Path) -> None:
    found = wanted(tmp_path, RUNLEDGER_METRICS_PORT="9100")

    ports = [found[name].env["RUNLEDGER_METRICS_PORT"] for name in ("projections", "projections.mlflow")]
    assert [*ports, found["trainer"].env["RUNLEDGER_METRICS_PORT"]] == ["9100", "9101", "9102"]


def test_a_training_may_have_as_many_heaps_as_it_likes(tmp_path: Path) -> None:
    found = wanted(tmp_path)

    assert found["api"].env["MALLOC_ARENA_MAX"] == found["projections"].env["MALLOC_ARENA_MAX"] == "2"
    assert "MALLOC_ARENA_MAX" not in found["trainer"].env


def test_addresses_can_be_reached_from_this_machine() -> None:
    assert reachable("0.0.0.0") == "127.0.0.1"
    assert UpSettings(host="0.0.0.0", port=1).address == "http://127.0.0.1:1"
    assert ClientSettings(url="http://far", host="0.0.0.0").address == "http://far"
    assert mlflow_address(UpSettings()) == "http://127.0.0.1:8601"
