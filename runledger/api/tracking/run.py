"""`runledger.run`: a training of one's own, in one's own process, recorded as a run.

What is logged goes to a journal on local disk, which a courier ships; `TrackedRun` says what can be told.
"""

from __future__ import annotations

import logging
import os
import time as clock
from collections.abc import Mapping
from typing import Any

import msgspec

from runledger.api.tracking import values
from runledger.api.tracking.beginning import Begun, begin
from runledger.api.tracking.courier_process import CourierProcess
from runledger.api.tracking.errors import DamagedFile, Misused
from runledger.api.tracking.exits import EXITS
from runledger.api.tracking.folders import RunFile
from runledger.api.tracking.open_attempt import OpenAttempt
from runledger.api.tracking.output import say
from runledger.api.tracking.settings import TrackingSettings
from runledger.api.tracking.tracked_run import TrackedRun
from runledger.tracker.errors import TrackerError
from runledger.tracker.ids import new_id
from runledger.tracker.settings import CodeSettings, load

logger = logging.getLogger("runledger")

UNASKED = (
    "run %s begins from nothing: whether the tracker has a checkpoint of it is not known (%s). Once that is "
    "back this becomes the run's next attempt, whose points replace those before it; or a run of its own, if "
    "the run is over by then or is another one"
)


def run(
    experiment: str,
    *,
    name: str | None = None,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    id: str | None = None,
    resume: bool = False,
    url: str | None = None,
    offline: bool = False,
    capture_output: bool = False,
) -> TrackedRun:
    """Begin a run, or with `resume` go on with the last one of this experiment and name that has not ended
    well; `id` (or RUNLEDGER_RUN_ID), 32 hexadecimal digits, names that very run.

    Use it as a context manager, or call `end`. Raises `Misused` or `TypeError` for what does not fit,
    `RunBusy`, `RunOver`, `CheckpointUnavailable`, and `BadSetting` for a bad variable of the environment.
    """
    settings = _settings(url, offline=offline)
    asked = RunFile(
        run_id=_run_id(id or settings.run_id),
        experiment=values.name("an experiment", experiment),
        name=None if name is None else values.name("a run's name", name),
        params=values.params(params or {}),
        tags=values.tags(tags or {}),
        created_at=clock.time_ns() // 1000,
    )
    try:
        begun = begin(asked, settings, resume=resume)
        if resume and begun.unasked and not settings.offline:
            logger.warning(UNASKED, begun.run.run_id, begun.unasked)
        attempt = OpenAttempt(begun.run, begun.attempt, begun.lock)
    except (OSError, TrackerError, DamagedFile) as problem:
        logger.warning("the run of experiment %r is not recorded: %s", experiment, problem)
        unwritten = msgspec.structs.replace(asked, run_id=asked.run_id or new_id())
        return TrackedRun(unwritten, settings.address, None, None, None)
    courier = None if settings.offline else _start_courier(begun, settings)
    tracked = TrackedRun(begun.run, settings.address, begun, attempt, courier)
    say(_greeting(begun, tracked, offline=settings.offline, resume=resume))
    EXITS.watch(tracked)
    if capture_output:
        tracked.capture()
    return tracked


def _settings(url: str | None, *, offline: bool) -> TrackingSettings:
    settings = load(TrackingSettings, os.environ)
    load(CodeSettings, os.environ)  # read beside the training: what does not fit is said here
    values.address(url or settings.address)
    return msgspec.structs.replace(settings, url=url or settings.url, offline=offline or settings.offline)


def _run_id(given: str | None) -> str:
    if given is not None and (len(given) != 32 or set(given) - set("0123456789abcdef")):
        raise Misused(f"a run's id has 32 hexadecimal digits, such as uuid.uuid4().hex: {given!r}")
    return given or ""


def _start_courier(begun: Begun, settings: TrackingSettings) -> CourierProcess | None:
    courier = CourierProcess(begun.folder, settings)
    try:
        courier.start()
    except OSError as problem:
        logger.warning("run %s waits for `runledger sync`: no courier: %s", begun.run.run_id, problem)
        return None
    return courier


def _greeting(begun: Begun, tracked: TrackedRun, *, offline: bool, resume: bool) -> str:
    where = f"offline, in {begun.folder.path}" if offline else tracked.url
    return f"run {tracked.id} of {begun.run.experiment} {_how(begun, resume=resume)}: {where}"


def _how(begun: Begun, *, resume: bool) -> str:
    """Who expects a run to go on reads here that, and why, it does not."""
    if begun.saved:
        return f"goes on from step {begun.saved.step}"
    if not begun.is_new:
        return "begins again from nothing"
    if not resume:
        return "begins"
    if begun.unasked:
        return (
            "begins from nothing, as this machine does not know it, and whether the tracker does is not "
            f"known ({begun.unasked})"
        )
    return "begins, as this machine knows none to go on with"
