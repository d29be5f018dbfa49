"""A process of its own for one attempt: reads a job, trains, prints the bits of the curves as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec

from runledger.trainer.lm import lm
from runledger.trainer.lm.spec import LmSpec
from runledger.trainer.recipe import Benchmark
from runledger.trainer.standalone import StandaloneContext


class Job(msgspec.Struct):
    folder: Path
    spec: LmSpec
    dataset: Path
    benchmark: Benchmark
    curves: tuple[str, ...]
    stop_after: int | None = None
    checkpoint_folder: Path | None = None


def main(file: Path) -> None:
    job = msgspec.json.decode(file.read_bytes(), type=Job, dec_hook=lambda type, value: type(value))
    context = StandaloneContext(
        job.folder,
        datasets={job.spec.data.dataset: job.dataset},
        benchmarks=[job.benchmark],
        checkpoint_folder=job.checkpoint_folder,
        stop_after=job.stop_after,
    )
    lm.train(job.spec, context)
    curves = {key: [(step, value.hex()) for step, value in context.series(key)] for key in job.curves}
    print(json.dumps(curves))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
