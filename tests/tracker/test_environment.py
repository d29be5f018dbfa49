"""What is recorded of the machine that an attempt runs on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from runledger.tracker import environment


def install(folder: Path, name: str) -> None:
    made = folder / f"{name}-1.0.dist-info"
    made.mkdir()
    (made / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")


def test_the_lock_digest_changes_with_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    before = environment.lock_digest()
    assert environment.lock_digest() == before

    install(tmp_path, "something-new")

    assert environment.lock_digest() != before


def test_jax_that_is_only_imported_is_not_made_to_take_its_devices() -> None:
    script = """
import jax
from jax._src import xla_bridge
from runledger.tracker import environment
assert environment.devices()[0].startswith("cpu ")
assert not xla_bridge.backends_are_initialized()
jax.devices()
assert environment.devices() == tuple(f"{d.platform} {d.device_kind}" for d in jax.devices())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_devices_of_torch_are_told_once_it_has_taken_them(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = SimpleNamespace(
        is_initialized=lambda: True, device_count=lambda: 2, get_device_name=lambda index: f"card {index}"
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))  # type: ignore[arg-type]
    monkeypatch.delitem(sys.modules, "jax", raising=False)
    assert environment.devices() == ("gpu card 0", "gpu card 1")
