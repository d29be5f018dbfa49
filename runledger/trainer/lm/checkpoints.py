"""A checkpoint as a folder: the state through orbax, the tokenizer, and what else the next step reads.

Saving is synchronous: when `save` returns, the folder is whole.
"""

from __future__ import annotations

from pathlib import Path

import jax
import msgspec
import orbax.checkpoint as ocp

from runledger.trainer.lm import spec
from runledger.trainer.lm.errors import WrongCheckpoint
from runledger.trainer.lm.step import State
from runledger.trainer.lm.tokenizer import Tokenizer, load

STATE = "state"
TOKENIZER = "tokenizer.json"
MANIFEST = "manifest.json"


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    step: int
    metrics: dict[str, float]
    """The newest value of each metric: what the run returns when no step is left to do."""
    model: spec.Model
    vocabulary: int
    is_unevaluated: bool = False
    """An evaluation was due and was broken off: whoever goes on from here begins with it."""


def save(folder: Path, state: State, manifest: Manifest, tokenizer: Tokenizer) -> None:
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(folder.absolute() / STATE, state)
    tokenizer.save(folder / TOKENIZER)
    (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest))


def load_tokenizer(folder: Path) -> Tokenizer:
    return load(folder / TOKENIZER)


def load_manifest(folder: Path, model: spec.Model) -> Manifest:
    """Raises `WrongCheckpoint` where it is of another model than the spec's."""
    manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    if manifest.model != model:
        raise WrongCheckpoint(f"the checkpoint of step {manifest.step} is of {manifest.model}, not {model}")
    return manifest


def load_state(folder: Path, like: State) -> State:
    """The state, with the shapes, types and places of `like`."""
    with ocp.StandardCheckpointer() as checkpointer:
        state: State = checkpointer.restore(
            folder.absolute() / STATE, jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        )
    return state
