"""The accelerators of this machine, seen without loading jax: it would take hold of them."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import psutil

from runledger.tracker.store.announcements import Device

QUERY = ["--query-gpu=uuid,name,memory.total", "--format=csv,noheader,nounits"]
DETERMINISTIC_GPU_FLAGS = "--xla_gpu_deterministic_ops=true"
VISIBLE_GPUS = "CUDA_VISIBLE_DEVICES"
PCI = Path("/sys/bus/pci/devices")
GOOGLE = "0x1ae0"
TPUS = {
    "0x0027": "TPU v2 or v3",
    "0x005e": "TPU v4",
    "0x0062": "TPU v5p",
    "0x0063": "TPU v5e",
    "0x006f": "TPU v6e",
    "0x0076": "TPU7x",
}
"""By PCI device, as in jax's own `hardware_utils`."""


class Gpu(NamedTuple):
    uuid: str
    device: Device


def detect(environ: Mapping[str, str]) -> tuple[Device, ...]:
    """GPUs that `environ` leaves visible, TPU chips, and always the CPU as one device with all memory."""
    cpu = Device(kind="cpu", name=platform.machine(), memory_bytes=psutil.virtual_memory().total)
    return (*visible(_gpus(), environ.get(VISIBLE_GPUS)), *tpus(PCI), cpu)


def visible(gpus: list[Gpu], wanted: str | None) -> list[Device]:
    """Those that CUDA would show: by number or beginning of the uuid, up to the first that is none."""
    if wanted is None:
        return [gpu.device for gpu in gpus]
    chosen: list[Device] = []
    for word in wanted.split(","):
        found = _find(gpus, word.strip())
        if found is None:
            break
        chosen.append(found)
    return chosen


def _find(gpus: list[Gpu], word: str) -> Device | None:
    if word.isdigit():
        return gpus[int(word)].device if int(word) < len(gpus) else None
    found = [gpu.device for gpu in gpus if word and gpu.uuid.startswith(word)]
    return found[0] if len(found) == 1 else None


def _gpus() -> list[Gpu]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        done = subprocess.run([tool, *QUERY], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [parse_gpu(line) for line in done.stdout.splitlines() if line.strip() and done.returncode == 0]


def parse_gpu(line: str) -> Gpu:
    """`GPU-5f…, NVIDIA H200, 143771`: the memory in MiB, which some devices do not tell."""
    named, _, memory = line.rpartition(",")
    uuid, _, name = named.partition(",")
    size = int(memory) * 1024**2 if memory.strip().isdigit() else 0
    return Gpu(uuid.strip(), Device(kind="gpu", name=name.strip(), memory_bytes=size))


def tpus(devices: Path) -> Iterator[Device]:
    """One for each chip that is attached, however its driver shows it below `/dev`."""
    for vendor in sorted(devices.glob("*/vendor")):
        if vendor.read_text().strip() != GOOGLE:
            continue
        name = TPUS.get(vendor.with_name("device").read_text().strip())
        if name is not None:
            yield Device(kind="tpu", name=name)
