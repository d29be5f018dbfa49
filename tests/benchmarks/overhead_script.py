"""The measured training as a script of one's own: `python -m tests.benchmarks.overhead_script SPEC`.

Prints the id of its run. Its courier is started before the training is put on its core.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

import runledger
from tests.benchmarks.overhead_training import OverheadSpec, measure


def main(spec: OverheadSpec) -> None:
    with runledger.run("overhead", params=msgspec.to_builtins(spec)) as run:
        report = measure(spec, lambda values, step: run.log(values, step=step))
        Path(spec.report).write_bytes(msgspec.json.encode(report))
    sys.stdout.write(f"{run.id}\n")


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=OverheadSpec))
