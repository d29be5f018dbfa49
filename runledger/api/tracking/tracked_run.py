"""A run in its own process, from its begin or resumption to its end.

Nothing here waits for a network, and nothing raises because of the tracker: a disk that refuses is
warned of once, and the training goes on unrecorded. What is misused does raise, before anything of it
is written.
"""

from __future__ import annotations

import logging
import os
import threading
import time as clock
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, SupportsIndex

import msgspec

from runledger.api.tracking import values
from runledger.api.tracking.beginning import Begun
from runledger.api.tracking.control import Control
from runledger.api.tracking.courier_process import CourierProcess
from runledger.api.tracking.ending import Terminated, ended_by
from runledger.api.tracking.errors import Misused
from runledger.api.tracking.exits import EXITS
from runledger.api.tracking.folders import RunFile
from runledger.api.tracking.open_attempt import OpenAttempt
from runledger.api.tracking.output import Capture, say
from runledger.tracker.errors import BadInput, JournalBroken, TrackerError
from runledger.tracker.journal import Ended
from runledger.tracker.spec import Scalar

logger = logging.getLogger("runledger")

LAST_LINES = 20
MAX_LINE_CHARS = 2_000
MAX_MESSAGE_CHARS = 20_000
"""So much of a line and of a message the tracker takes."""
TERMINATE_SECONDS = 5.0
"""How long SIGTERM waits for a checkpoint that another thread is saving."""


class TrackedRun:
    """One run, from its begin or resumption in this process to its end. For any number of threads.

    In a forked child every call does nothing, and the first one says so.
    """

    def __init__(
        self,
        run: RunFile,
        address: str,
        begun: Begun | None,
        attempt: OpenAttempt | None,
        courier: CourierProcess | None,
    ) -> None:
        self.id = run.run_id
        self.experiment = run.experiment
        self._url = f"{address}/api/v1/runs/{run.run_id}"
        self._begun = begun
        self._attempt = attempt
        self._courier = courier
        self._control = Control(begun.attempt) if begun else None
        self._capture = Capture(self.copy_output)
        self._params = dict(begun.params if begun else run.params)
        self._step: SupportsIndex | None = None
        self._points = 0
        self._files = 0
        self._saved_step = begun.saved.step if begun and begun.saved else None
        self._has_saved = False
        self.is_ending = False
        """Its end is being written down just now."""
        self._process = os.getpid()
        self._lock = threading.RLock()
        """Held while a file is staged or the run ends; never to log."""
        self._barriers: list[Callable[[], object]] = []
        self._warned: set[str] = set()

    @property
    def url(self) -> str:
        """Where the run is looked at."""
        return self._url

    @property
    def attempt(self) -> int:
        """Counted on this machine, from 1."""
        return self._begun.attempt.number if self._begun else 1

    @property
    def checkpoint_folder(self) -> Path | None:
        """The unpacked checkpoint to go on from, until the run ends; None to start from nothing."""
        return self._begun.attempt.checkpoint if self._begun and self._begun.saved else None

    @property
    def checkpoint_step(self) -> int | None:
        """The step of that checkpoint."""
        return self._begun.saved.step if self._begun and self._begun.saved else None

    def log(self, metrics: Mapping[str, Any], *, step: int, time: int | None = None) -> None:
        """Metrics at a step, each one number; NaN and infinities are kept. `time` is in µs since 1970, now by
        default. Raises `Misused` or `TypeError`, and then logs none of them."""
        attempt = self._attempt or self._open()
        if attempt is None:
            return
        at = clock.time_ns() // 1000 if time is None else time
        try:
            try:
                attempt.points(step, at, metrics)
            except (BadInput, Warning):  # numpy warns of an array of one element
                attempt.points(*values.points(step, at, _named(metrics)))
        except JournalBroken as problem:
            if self._open() is not None:  # in a fork it is whole
                self._give_up(problem)
            return
        self._step = step
        self._points += len(metrics)

    def checkpoint(self, path: str | os.PathLike[str], *, step: int, loss: float | None = None) -> None:
        """Keep a file or a folder as the state after `step`, with all that was logged before it.

        Returns once a copy is on this machine's disk: the original may be changed or removed then. Steps
        of checkpoints grow, also across attempts.
        """
        source = _existing(path)
        at = values.int64("step", step)
        at_loss = None if loss is None else values.number("loss", loss)
        self._wait_for_barriers()
        with self._lock:
            self._check_growing(at)
            if self._write(lambda attempt: attempt.checkpoint(source, at, at_loss)):
                self._saved_step, self._has_saved, self._step = at, True, at
                self._files += 1

    def artifact(self, path: str | os.PathLike[str], name: str | None = None) -> None:
        """Keep a file, or each file of a folder, under a relative name; its own by default."""
        source = _existing(path)
        under = values.artifact_path(source.name if name is None else name)
        files = [source]
        if source.is_dir():
            files = sorted(each for each in source.rglob("*") if each.is_file())
        paths = ["/".join((under, *each.relative_to(source).parts)) for each in files]
        for each in paths:
            values.artifact_path(each)
        with self._lock:
            for file, to in zip(files, paths, strict=True):
                self._files += self._write(partial(OpenAttempt.artifact, path=file, name=to))

    def params(self, given: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Params that are known only now. A param once recorded never changes."""
        found = values.params({**(given or {}), **more})
        with self._lock:
            for key, value in found.items():
                if key in self._params and not values.same(self._params[key], value):
                    raise Misused(f"param {key!r} is {self._params[key]!r} already, and cannot be {value!r}")
            fresh: dict[str, Scalar] = {key: found[key] for key in found.keys() - self._params.keys()}
            if fresh and self._write(lambda attempt: attempt.params(fresh)):
                self._params |= fresh

    @property
    def known_params(self) -> dict[str, Scalar]:
        """All params that were recorded here, by their dotted paths."""
        return dict(self._params)

    def should_stop(self) -> bool:
        """True once somebody has asked the tracker to cancel or pause the run. Ask at each step; when
        true, save a checkpoint and leave the `with` block."""
        if self._control is None or self._open() is None:
            return False
        return self._control.should_stop()

    def write(self, text: str | bytes) -> None:
        """Add to the run's output, as it is."""
        if not isinstance(text, (str, bytes)):
            raise TypeError(f"output is str or bytes, not {type(text).__name__}")
        self._write(lambda attempt: attempt.write(text))

    def copy_output(self, text: str) -> None:
        """As `write`, for what nobody has told the run itself: never a warning that it is over."""
        if self._attempt is not None and os.getpid() == self._process:
            self.write(text)

    def wait_for(self, barrier: Callable[[], object]) -> None:
        """Call `barrier` before each checkpoint and before the end: it returns once all that is under way
        has been logged."""
        if barrier not in self._barriers:
            self._barriers.append(barrier)

    def capture(self) -> None:
        """From now on what Python code prints is also the run's output."""
        if self._open() is not None:
            self._capture.start()

    def end(
        self,
        outcome: Literal["completed", "failed", "cancelled"] = "completed",
        *,
        message: str = "",
        metrics: Mapping[str, Any] | None = None,
    ) -> None:
        """The run is over; `metrics` are its final ones. What is called afterwards does nothing."""
        if outcome not in ("completed", "failed", "cancelled"):
            raise Misused(f"a run ends completed, failed or cancelled, not {outcome!r}")
        if not isinstance(message, str):
            raise TypeError(f"a message is a str, not {type(message).__name__}")
        final = {values.metric_key(key): values.number(key, value) for key, value in (metrics or {}).items()}
        self._wait_for_barriers()
        is_told = self._was_told and outcome == "completed"
        self._end(
            Ended(
                outcome="stopped" if is_told else outcome,
                step=self._last_step,
                metrics=final,
                reason="error" if outcome == "failed" else None,
                message=message.encode(errors="replace").decode()[:MAX_MESSAGE_CHARS],
            )
        )

    def end_by(self, error: BaseException | None) -> None:
        """The process, or the `with` block, is ended by this; None is: as it should."""
        if not isinstance(error, Terminated):
            self._wait_for_barriers()
        ended = ended_by(error, was_told=self._was_told, step=self._last_step)
        lines: tuple[str, ...] = ()
        if error is not None and ended.outcome == "failed":
            text = "".join(traceback.format_exception(error)).encode(errors="replace").decode()
            lines = tuple(line[:MAX_LINE_CHARS] for line in text.splitlines()[-LAST_LINES:])
            self.copy_output(text)
        self._end(
            msgspec.structs.replace(ended, last_lines=lines),
            patience=TERMINATE_SECONDS if isinstance(error, Terminated) else -1,
        )

    def forget(self) -> None:
        """In a forked child: the run is its parent's."""
        attempt, self._attempt = self._attempt, None
        self._lock = threading.RLock()
        self._capture.stop()
        if attempt is not None:
            attempt.lock.forget()

    def __enter__(self) -> TrackedRun:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end_by(error)

    @property
    def _last_step(self) -> int | None:
        return None if self._step is None else values.int64("step", self._step)

    @property
    def _was_told(self) -> bool:
        return self._control is not None and self._control.was_told

    def _open(self) -> OpenAttempt | None:
        """None, with one warning, where there is nothing to write to."""
        if os.getpid() != self._process:
            self._warn(
                "forked", "run %s belongs to the process that began it; a forked child records nothing"
            )
            return None
        if self._attempt is None and self._begun is not None:
            self._warn("over", "run %s is over here; what is told it now is not recorded")
        return self._attempt

    def _write(self, write: Callable[[OpenAttempt], None]) -> bool:
        """Whether it was written. A file that does not fit on the disk is left out; without its journal
        the run cannot be recorded any further."""
        attempt = self._open()
        if attempt is None:
            return False
        try:
            write(attempt)
        except JournalBroken as problem:
            self._give_up(problem)
            return False
        except OSError as problem:
            self._warn("disk", "run %s: what cannot be kept on this disk is not recorded: %s", problem)
            return False
        return True

    def _wait_for_barriers(self) -> None:
        if self._attempt is None or os.getpid() != self._process:
            return
        for barrier in self._barriers:
            try:
                barrier()
            except Exception as problem:  # noqa: BLE001 — a computation's own failure shows where it is used
                self._warn("barrier", "run %s: not all that was under way is logged: %s", problem)

    def _give_up(self, problem: JournalBroken) -> None:
        self._warn("broken", "run %s is not recorded any further: %s", problem)
        self._attempt = None

    def _warn(self, what: str, message: str, *more: object) -> None:
        if what not in self._warned and "broken" not in self._warned:
            self._warned.add(what)
            logger.warning(message, self.id, *more)

    def _check_growing(self, step: int) -> None:
        """The tracker takes no checkpoint of an earlier step, and none twice of one attempt."""
        least = self._saved_step
        if step < 0 or (least is not None and (step < least or (step == least and self._has_saved))):
            raise Misused(f"a checkpoint of step {step} cannot follow one of step {least}: steps grow")

    def _end(self, ended: Ended, patience: float = -1) -> None:
        if os.getpid() != self._process or not self._lock.acquire(timeout=patience):
            return
        try:
            self.is_ending = True
            attempt, self._attempt = self._attempt, None
            self._capture.stop()
            if attempt is not None:
                self._close(attempt, msgspec.structs.replace(ended, time=clock.time_ns() // 1000))
        finally:
            self.is_ending = False
            EXITS.leave(self)
            self._lock.release()

    def _close(self, attempt: OpenAttempt, ended: Ended) -> None:
        try:
            attempt.end(ended)
        except (OSError, TrackerError) as problem:
            logger.warning("run %s: its end is not recorded: %s", self.id, problem)
        finally:
            if self._courier is not None:
                self._courier.leave()
        if ended.outcome != "preempted":  # within a signal handler nothing is printed
            self._say_unsent()

    def _say_unsent(self) -> None:
        assert self._begun is not None
        journals = self._begun.folder.path.parent
        what = f"{self._points} points and {self._files} files of run {self.id}"
        found = self._control.look() if self._control else None
        if self._courier is None:
            say(f"{what} wait in {journals}: `runledger sync {journals}` sends them")
        elif found is not None and found.state == "offline":
            say(
                f"up to {what} are not sent yet ({found.problem}): "
                f"`runledger sync {journals}` sends them once the tracker is back"
            )
        refused = self._begun.attempt.refused
        if os.access(refused, os.F_OK):
            say(f"the tracker did not take all of run {self.id}: see {refused}")


def _named(metrics: Mapping[str, Any]) -> Mapping[str, Any]:
    if not hasattr(metrics, "items"):
        raise TypeError(
            f"metrics are a mapping of names to numbers, not {type(metrics).__name__}: {metrics!r}"
        )
    return metrics


def _existing(path: str | os.PathLike[str]) -> Path:
    found = Path(path)
    if not found.exists():
        raise FileNotFoundError(f"there is no {str(path)!r} to keep")
    return found
