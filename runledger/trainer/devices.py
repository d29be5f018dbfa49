"""The accelerators of this machine, seen without loading jax: it would take hold of them."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import psutil

from runledger.tracker.store.announcements import Device

QUERY = ["--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
DETERMINISTIC_GPU_FLAGS = "--xla_gpu_deterministic_ops=true"


def detect() -> tuple[Device, ...]:
    """GPUs, TPU chips, and always the CPU as one device with the machine's memory."""
    cpu = Device(kind="cpu", name=platform.machine(), memory_bytes=psutil.virtual_memory().total)
    return (*_gpus(), *_tpus(), cpu)


def _gpus() -> list[Device]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        done = subprocess.run([tool, *QUERY], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [parse_gpu(line) for line in done.stdout.splitlines() if line.strip() and done.returncode == 0]


def parse_gpu(line: str) -> Device:
    """`NVIDIA H200, 143771`: the memory in MiB, which some devices do not tell."""
    name, _, memory = line.rpartition(",")
    size = int(memory) * 1024**2 if memory.strip().isdigit() else 0
    return Device(kind="gpu", name=name.strip(), memory_bytes=size)


def _tpus() -> list[Device]:
    return [Device(kind="tpu", name=path.name) for path in sorted(Path("/dev").glob("accel[0-9]*"))]
