"""What a worker knows of its machine, and its settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from runledger.tracker.errors import BadSetting
from runledger.tracker.ids import RunId
from runledger.tracker.settings import load
from runledger.trainer import devices
from runledger.trainer.child import environment
from runledger.trainer.folders import last_lines, name_of, owner_of
from runledger.trainer.memory import out_of_memory_kills
from runledger.trainer.settings import TrainerSettings


def test_the_cpu_is_always_a_device() -> None:
    cpu = devices.detect({})[-1]
    assert cpu.kind == "cpu"
    assert cpu.memory_bytes > 2**20


def test_a_gpu_is_read_from_its_tool() -> None:
    uuid, gpu = devices.parse_gpu("GPU-5f2c, NVIDIA H200, 143771")
    assert (uuid, gpu.kind, gpu.name, gpu.memory_bytes) == ("GPU-5f2c", "gpu", "NVIDIA H200", 143771 * 2**20)
    assert devices.parse_gpu("GPU-77, NVIDIA GB10, [N/A]").device.memory_bytes == 0


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (None, "ABC"),
        ("1", "B"),
        ("2,0", "CA"),
        ("GPU-b", "B"),
        ("GPU-", ""),
        ("0,9,1", "A"),
        ("-1", ""),
        ("", ""),
    ],
)
def test_a_worker_announces_the_gpus_that_it_is_left(wanted: str | None, names: str) -> None:
    gpus = [devices.parse_gpu(f"GPU-{name.lower()}1, {name}, 10") for name in "ABC"]
    assert "".join(gpu.name for gpu in devices.visible(gpus, wanted)) == names


def test_the_chips_of_a_tpu_are_found_on_the_bus(tmp_path: Path) -> None:
    for slot, (vendor, device) in enumerate(
        [("0x1ae0", "0x006f"), ("0x1ae0", "0x006f"), ("0x1ae0", "0x0042"), ("0x8086", "0x006f")]
    ):
        place = tmp_path / f"0000:00:0{slot}.0"
        place.mkdir()
        (place / "vendor").write_text(f"{vendor}\n")
        (place / "device").write_text(f"{device}\n")
    assert [(chip.kind, chip.name) for chip in devices.tpus(tmp_path)] == [("tpu", "TPU v6e")] * 2
    assert list(devices.tpus(tmp_path / "absent")) == []


def test_the_settings_of_a_worker() -> None:
    settings = load(
        TrainerSettings,
        {"RUNLEDGER_RECIPES": "a:b, c:d", "RUNLEDGER_WORKER_LABELS": "rack=7,team=nlp"},
    )
    assert settings.recipes == ("a:b", "c:d")
    assert settings.labels == {"rack": "7", "team": "nlp"}
    assert settings.broker_url == "memory://"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("RUNLEDGER_LEASE_SECONDS", "0"),
        ("RUNLEDGER_LEASE_SECONDS", "soon"),
        ("RUNLEDGER_WORKER_LABELS", "rack"),
        ("RUNLEDGER_WORKER_THREADS", "0"),
        ("RUNLEDGER_GRACE_SECONDS", "-1"),
    ],
)
def test_a_setting_that_does_not_fit_is_named(variable: str, value: str) -> None:
    with pytest.raises(BadSetting, match=f"{variable}|{variable.removeprefix('RUNLEDGER_').lower()}"):
        load(TrainerSettings, {variable: value})


def test_a_child_does_not_see_the_addresses_of_databases(tmp_path: Path) -> None:
    environ = {"RUNLEDGER_LEDGER_URL": "postgresql://u:secret@h/d", "PATH": "/bin", "XLA_FLAGS": "--a"}
    handed = environment(environ, cache=tmp_path, xla_flags="--b")
    assert handed == {
        "PATH": "/bin",
        "PYTHONUNBUFFERED": "1",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
        "XLA_FLAGS": "--a --b",
    }


def test_a_run_that_asks_for_a_device_gets_no_other(tmp_path: Path) -> None:
    assert "JAX_PLATFORMS" not in environment({}, cache=tmp_path)
    assert environment({}, cache=tmp_path, device="cpu")["JAX_PLATFORMS"] == "cpu"
    assert environment({}, cache=tmp_path, device="gpu")["JAX_PLATFORMS"] == "cuda,cpu"


def test_kills_for_want_of_memory_are_counted(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("0::/workers/one\n")
    nobody = tmp_path / "absent"
    assert out_of_memory_kills(tmp_path, own, nobody) == 0
    group = tmp_path / "workers" / "one"
    group.mkdir(parents=True)
    (group / "memory.events").write_text("low 0\noom 4\noom_kill 3\n")
    assert out_of_memory_kills(tmp_path, own, nobody) == 3
    assert out_of_memory_kills(tmp_path, nobody, nobody) == 0


def test_where_no_group_counts_the_machine_does(tmp_path: Path) -> None:
    own, machine = tmp_path / "cgroup", tmp_path / "vmstat"
    own.write_text("0::/\n")
    machine.write_text("pgfault 12\noom_kill 5\n")
    assert out_of_memory_kills(tmp_path, own, machine) == 5
    (tmp_path / "memory.events").write_text("oom 0\noom_kill 0\n")
    assert out_of_memory_kills(tmp_path, own, machine) == 0


def test_the_last_lines_of_an_output(tmp_path: Path) -> None:
    output = tmp_path / "output.log"
    assert last_lines(output) == ()
    output.write_bytes(b"".join(b"line %d\n" % number for number in range(9000)) + b"\xff" + b"x" * 900)
    lines = last_lines(output)
    assert (len(lines), lines[0], len(lines[-1])) == (20, "line 8981", 500)


def test_a_folder_tells_whose_it_is() -> None:
    run_id = RunId("5f" * 16)
    assert owner_of(Path("/data/attempts") / name_of(run_id, 12)) == (run_id, 12)
    assert owner_of(Path("/data/attempts/notes.txt")) is None
