"""`runledger demo`: the whole of Runledger once through, from a launch over REST to the run in MLflow.

Everything lies in a data folder of its own and listens on loopback; at the end all of it is stopped.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
import msgspec

from runledger.api.answers import Evaluation
from runledger.api.cli import mlflow_ui, preflight
from runledger.api.cli.exits import RunDidNotComplete, SetupProblem
from runledger.api.cli.output import Output, with_output
from runledger.api.cli.programs import mlflow_address
from runledger.api.cli.settings import UpSettings
from runledger.api.cli.up import announce, running
from runledger.api.cli.watch import follow_to_the_end
from runledger.api.client import Client

RECIPE, PRESET, EXPERIMENT = "lm", "arithmetic", "demo"
SCORE = "exact_match"
LEAST_ITEMS = 500
MOST_BEFORE, LEAST_AFTER = 0.05, 0.90
"""What the arithmetic preset has to show: it knows nothing before, and nearly everything after."""
MIRROR_SECONDS = 60.0
MARKER = "up.lock"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What the demo has shown."""

    run_id: str
    exact_match_before: float
    exact_match_after: float
    items: int
    seconds: float
    mlflow_run: str

    @property
    def line(self) -> str:
        return (
            f"RESULT exact_match_before={self.exact_match_before:.4f} "
            f"exact_match_after={self.exact_match_after:.4f} seconds={self.seconds:.1f}"
        )

    def shortcomings(self) -> list[str]:
        return [
            words
            for words, is_short in (
                (f"only {self.items} items were evaluated", self.items < LEAST_ITEMS),
                ("it knew the answers before", not self.exact_match_before <= MOST_BEFORE),
                ("it has not learned enough", not self.exact_match_after >= LEAST_AFTER),
            )
            if is_short
        ]


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), default=Path(".demo"), show_default=True
)
@with_output
def demo(output: Output, data: Path) -> None:
    """Train a small model to add, from a REST launch to its place in MLflow, then stop.

    Runs on SQLite and the in-memory broker, in a data folder that is emptied first.
    """
    started_at = time.monotonic()
    clear(data)
    settings = demo_settings(data)
    with interrupted_by_sigterm(), kept_up(settings, output), Client(settings.address) as client:
        announce(settings, output, with_mlflow=True)
        result = show_a_run(client, settings, output, started_at)
    output.say(f"all stopped; `RUNLEDGER_DATA={data} runledger up` brings it back")
    output.result(result, [result.line])
    if shortcomings := result.shortcomings():
        raise RunDidNotComplete("; ".join(shortcomings))


def show_a_run(client: Client, settings: UpSettings, output: Output, started_at: float) -> Result:
    """Launch, watch, and look it up in MLflow."""
    launched = client.launch(RECIPE, preset=PRESET, experiment=EXPERIMENT)
    output.say(f"launched {settings.address}/api/v1/runs/{launched.run_id}")
    run = follow_to_the_end(client, launched.run_id, output)
    before, after = first_and_last(
        client.evaluations(run.run_id, after=client.facts(run.run_id)[-1].position)
    )
    output.say("waiting for MLflow to have it all")
    address = mlflow_address(settings)
    mirrored = mlflow_ui.wait_for_run(address, run.run_id, MIRROR_SECONDS)
    output.say(f"in MLflow: {mirrored.link(address)}")
    output.say(
        f"{SCORE} over {after.items} items: {score(before):.4f} at step {before.step}, "
        f"{score(after):.4f} at step {after.step}"
    )
    return Result(
        run_id=run.run_id,
        exact_match_before=score(before),
        exact_match_after=score(after),
        items=min(before.items or 0, after.items or 0),
        seconds=time.monotonic() - started_at,
        mlflow_run=mirrored.run_id,
    )


def first_and_last(evaluations: list[Evaluation]) -> tuple[Evaluation, Evaluation]:
    """By step. Raises RunDidNotComplete where there are not two."""
    done = sorted((one for one in evaluations if one.status == "completed"), key=lambda one: one.step)
    if len(done) < 2:
        raise RunDidNotComplete(f"{len(done)} evaluations were recorded, one before and one after are needed")
    return done[0], done[-1]


def score(evaluation: Evaluation) -> float:
    for one in evaluation.scores:
        if one.name == SCORE:
            return float(one.value)
    raise RunDidNotComplete(f"evaluation {evaluation.evaluation_id} has no score {SCORE}")


def demo_settings(data: Path) -> UpSettings:
    """The usual ports, or others where those are taken."""
    defaults = UpSettings()
    return UpSettings(data=data, port=_free(defaults.port), mlflow_port=_free(defaults.mlflow_port))


def clear(data: Path) -> None:
    """Empty the folder of an earlier demo. Raises SetupProblem for a folder that is something else."""
    if not data.exists() or not any(data.iterdir()):
        return
    if not (data / MARKER).exists():
        raise SetupProblem(f"{data} is not empty and not the data folder of an earlier demo; name another")
    with preflight.sole_use(data):
        shutil.rmtree(data)


@contextmanager
def kept_up(settings: UpSettings, output: Output) -> Iterator[None]:
    """Everything runs, and is restarted if it dies, as long as the block lasts."""
    stop = threading.Event()
    with running(settings, own_environment(os.environ), output, stop, with_mlflow=True) as supervisor:
        keeper = threading.Thread(target=supervisor.run, args=(stop,), name="keeper")
        keeper.start()
        try:
            yield
        finally:
            stop.set()
            keeper.join()


def own_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Without our settings: the demo is the same whatever is set for other use."""
    return {name: value for name, value in environ.items() if not name.startswith("RUNLEDGER_")}


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that everything is stopped."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _free(port: int) -> int:
    try:
        preflight.check_port_is_free("127.0.0.1", port, "")
    except SetupProblem:
        return preflight.free_port()
    return port
