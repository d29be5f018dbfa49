"""What an attempt runs on: all that is not in the spec and may change a result.

jax is never imported here: what it says of its devices is asked once the recipe has imported it.
"""

from __future__ import annotations

import email.parser  # noqa: F401 — `importlib.metadata` would import it when first asked, in whatever thread
import hashlib
import os
import platform
import sys
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from runledger.tracker import revision
from runledger.tracker.journal import Environment
from runledger.tracker.settings import CodeSettings, load

DISTRIBUTIONS = (
    "runledger",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "grain",
    "numpy",
    "tokenizers",
    "torch",
    "transformers",
)
VARIABLES = ("XLA_FLAGS", "LIBTPU_INIT_ARGS", "JAX_PLATFORMS")
JAX_OPTIONS = (
    "jax_enable_x64",
    "jax_default_matmul_precision",
    "jax_default_prng_impl",
    "jax_threefry_partitionable",
    "jax_numpy_dtype_promotion",
)


def observe(*, seed: int | None, dataset_digest: str | None, fields: dict[str, str]) -> Environment:
    """The facts as they are now; `fields` are the recipe's own."""
    return Environment(
        versions=versions(),
        devices=devices(),
        flags={**flags(), **fields},
        seed=seed,
        lock_digest=lock_digest(),
        dataset_digest=dataset_digest,
    )


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def devices() -> tuple[str, ...]:
    """`platform kind` of each device that jax or torch has taken, or `cpu` for what uses neither."""
    jax: Any = sys.modules.get("jax")
    if jax is not None and _has_taken_devices():
        return tuple(f"{device.platform} {device.device_kind}" for device in jax.devices())
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return tuple(f"gpu {torch.cuda.get_device_name(index)}" for index in range(torch.cuda.device_count()))
    return (f"cpu {platform.machine()}",)


def _has_taken_devices() -> bool:
    """jax that is merely imported has none; to ask it for them would take them, and their memory."""
    asks = getattr(sys.modules.get("jax._src.xla_bridge"), "backends_are_initialized", None)
    return asks is None or bool(asks())


def flags() -> dict[str, str]:
    found = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
    jax: Any = sys.modules.get("jax")
    if jax is not None:
        found |= {name: str(getattr(jax.config, name)) for name in JAX_OPTIONS if hasattr(jax.config, name)}
    return found


def lock_digest() -> str:
    """SHA-256 over the names and versions of all that is installed. Slow until asked a second time."""
    return _lock_digest(tuple((place, _changed_at(place)) for place in sys.path))


@lru_cache(maxsize=1)
def _lock_digest(places: tuple[tuple[str, int], ...]) -> str:
    installed = {(found.name.lower(), found.version) for found in metadata.distributions()}
    return hashlib.sha256(
        "\n".join(f"{name}=={version}" for name, version in sorted(installed)).encode()
    ).hexdigest()


def _changed_at(place: str) -> int:
    try:
        return Path(place).stat().st_mtime_ns
    except OSError:
        return 0


def code_revision(source: Path) -> tuple[str | None, bytes]:
    """The commit of the repository that tracks `source`, and the difference of its work tree to it, which
    `RUNLEDGER_CODE_DIFF=0` keeps to itself."""
    commit = revision.commit_of(source)
    if commit is None or not load(CodeSettings, os.environ).code_diff:
        return commit, b""
    return commit, revision.difference(source, os.environ)
