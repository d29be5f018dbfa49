"""`make bench-overhead`: what a hundred scalars a step cost the training that logs them.

The same training with and without, in pairs of blocks, in one process on one core; the services run on
the others and take in what is logged. Once as a recipe that a worker executes, once as a script with
`runledger.run`; the result is the worse of the two.

Which block of a pair comes first is random, so that all that is not the logging is as likely to have
slowed the one as the other: the logarithms of the pairs' ratios lie symmetrically around what the logging
costs. The result is their Hodges-Lehmann estimate, and its bound that of the signed-rank test: exact for
any such noise, and hardly wider than a mean's where that is normal.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from scipy.stats import bootstrap, norm

from tests.benchmarks import bench
from tests.benchmarks.overhead_training import BLOCKS, NAMES, STEPS, OverheadSpec, Report
from tests.system.installation import Installation, until

RECIPE = "tests.benchmarks.overhead_training:overhead"
RESAMPLES = 10_000
CONFIDENCE = 0.95


class Percent(NamedTuple):
    value: float
    upper95: float
    """The true value is less, with 95 % confidence."""


class Overhead(msgspec.Struct, frozen=True, kw_only=True):
    """What logging adds to a step, by the paired blocks."""

    shift: Percent
    """By Hodges and Lehmann: this is the result."""
    mean: Percent
    """What a hiccup costs in one block of a pair counts here in full; bounded by a bootstrap."""
    processor: float
    """The same shift of processor time, in percent: nothing that other processes take counts."""
    step_ms: float
    """Without logging; the median of the blocks."""
    microseconds: float
    """The shift's share of that step."""
    writer_microseconds: float
    """Processor time that a logged step takes the journal's thread; part of the above."""


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        bench.say("not measured: the services need another core than the training")
        return 1
    bench.say(f"{bench.describe_machine()}; the training on core {cores[0]}, all else on {cores[1:]}")
    bench.say(f"{len(NAMES)} scalars a step, {options.blocks} blocks of {options.steps} steps, in pairs")
    os.sched_setaffinity(0, cores[1:])
    found: dict[str, Overhead] = {}
    with (
        bench.workspace() as folder,
        bench.installed(folder, {"RUNLEDGER_RECIPES": RECIPE}, "--no-mlflow") as installation,
    ):
        for name, measure in PATHS.items():
            spec = OverheadSpec(
                core=cores[0], report=str(folder / name), blocks=options.blocks, steps=options.steps
            )
            run_id = measure(installation, spec)
            report = msgspec.json.decode(Path(spec.report).read_bytes(), type=Report)
            found[name] = evaluate(report)
            logged = report.logged_steps * len(NAMES)
            until(lambda: kept(installation, run_id) == logged, 60, f"{logged} points of run {run_id}")  # noqa: B023
            bench.say(f"{name}: all {logged:,} points have arrived in the read models")
    _print(found, options.blocks)
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What logging costs the training that logs.")
    parser.add_argument("--blocks", type=int, default=BLOCKS, help="with logging and without, together")
    parser.add_argument("--steps", type=int, default=STEPS, help="in each block")
    return parser.parse_args(arguments)


def as_recipe(installation: Installation, spec: OverheadSpec) -> str:
    """Through the context of an attempt. The id of the run."""
    launched = installation.client.launch("overhead", experiment="overhead", spec=msgspec.to_builtins(spec))
    run = installation.client.wait(launched.run_id)
    assert run.status == "completed", run
    return launched.run_id


def as_script(installation: Installation, spec: OverheadSpec) -> str:
    """Through `runledger.run`, in a process of its own. The id of the run."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tests.benchmarks.overhead_script", msgspec.json.encode(spec).decode()],
        env={**installation.environment, "RUNLEDGER_JOURNALS": f"{spec.report}-journals"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.strip()


PATHS: dict[str, Callable[[Installation, OverheadSpec], str]] = {"recipe": as_recipe, "script": as_script}


def kept(installation: Installation, run_id: str) -> int:
    """The points that have arrived in the read models."""
    return sum(summary.points for summary in installation.client.metrics(run_id))


def evaluate(report: Report) -> Overhead:
    none, logged = np.array(report.none), np.array(report.logged)
    wall, processor = np.log(logged / none).T
    shift, step_ms = shift_of(wall), float(np.median(none[:, 0])) / report.steps * 1e3
    return Overhead(
        shift=shift,
        mean=_mean(100 * np.expm1(wall)),
        processor=shift_of(processor).value,
        step_ms=step_ms,
        microseconds=shift.value / 100 * step_ms * 1e3,
        writer_microseconds=report.writer_seconds / report.written_steps * 1e6,
    )


def shift_of(logarithms: np.ndarray) -> Percent:
    """The median of the averages of any two of them, and the one that a signed-rank test would not exclude.

    The bound is infinite where so few pairs have none. Needs ten of them for the normal approximation.
    """
    count = len(logarithms)
    first, second = np.triu_indices(count)
    averages = np.sort((logarithms[first] + logarithms[second]) / 2)
    deviation = np.sqrt(count * (count + 1) * (2 * count + 1) / 24)
    rank = int(np.ceil(len(averages) / 2 + norm.ppf(CONFIDENCE) * deviation))
    upper = averages[rank] if rank < len(averages) else np.inf
    return Percent(*(float(100 * np.expm1(each)) for each in (np.median(averages), upper)))


def _mean(values: np.ndarray) -> Percent:
    """Bounded by a bootstrap, seeded."""
    interval = bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        alternative="less",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Percent(float(np.mean(values)), float(interval.high))


def _print(found: dict[str, Overhead], blocks: int) -> None:
    bench.table(
        [
            {
                "logged through": name,
                "step ms": each.step_ms,
                "shift %": each.shift.value,
                "upper 95 %": each.shift.upper95,
                "mean %": each.mean.value,
                "its upper 95 %": each.mean.upper95,
                "processor %": each.processor,
                "µs a step": each.microseconds,
                "of these its thread": each.writer_microseconds,
            }
            for name, each in found.items()
        ],
        "What logging adds",
    )
    worse = max((each.shift for each in found.values()), key=lambda each: each.upper95)
    bench.result(overhead_percent=worse.value, upper95_percent=worse.upper95, blocks=blocks)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
