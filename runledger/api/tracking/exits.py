"""How this process ends, told to the runs that are open in it.

Watched are an exception that nobody catches, `sys.exit` and `exit`, SIGTERM and the interpreter's end;
and forks, whose children have no runs. `os._exit` and SIGKILL cannot be seen from here: the courier sees
them.
"""

from __future__ import annotations

import atexit
import builtins
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, ModuleType, TracebackType
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from runledger.api.tracking.ending import Terminated

if TYPE_CHECKING:
    from runledger.api.tracking.tracked_run import TrackedRun


ExceptHook: TypeAlias = Callable[[type[BaseException], BaseException, TracebackType | None], object]
Exit: TypeAlias = Callable[[str | int | None], NoReturn]


class Exits:
    """The open runs of this process. One instance is enough for all of them."""

    def __init__(self) -> None:
        self._runs: list[TrackedRun] = []
        self._is_watching = False
        self._error: BaseException | None = None
        """What ends the interpreter, once that is known."""
        self._is_terminated = False
        """SIGTERM has come while a run was ending."""
        self._replaced: list[tuple[ModuleType, str, object, object]] = []
        """Module, name, what was there, and our wrapper of that."""

    def watch(self, run: TrackedRun) -> None:
        if not self._is_watching:
            self._is_watching = True
            atexit.register(self._end_all)
            os.register_at_fork(after_in_child=self._forget_all)
        if not self._runs:
            self._wrap()
        self._runs.append(run)
        self._catch_sigterm()

    def leave(self, run: TrackedRun) -> None:
        if run not in self._runs:
            return
        self._runs.remove(run)
        if not self._runs:
            self._unwrap()
            self._release_sigterm()
        if self._is_terminated:
            self._is_terminated = False
            os.kill(os.getpid(), signal.SIGTERM)

    def _wrap(self) -> None:
        """Each wrapper keeps what it replaces: others may wrap it in turn, and outlive these runs."""
        self._error = None
        self._replace(sys, "excepthook", _noting_exceptions(self, sys.excepthook))
        self._replace(sys, "exit", _noting_exits(self, sys.exit))
        for name in ("exit", "quit"):  # Python started with -S has none
            if leave := getattr(builtins, name, None):
                self._replace(builtins, name, _noting_exits(self, leave))

    def _replace(self, module: ModuleType, name: str, wrapper: object) -> None:
        self._replaced.append((module, name, getattr(module, name), wrapper))
        setattr(module, name, wrapper)

    def _unwrap(self) -> None:
        """Puts back what was there, unless somebody else has replaced it since."""
        for module, name, original, wrapper in self._replaced:
            if getattr(module, name, None) is wrapper:
                setattr(module, name, original)
        self._replaced = []

    def note(self, error: BaseException) -> None:
        """This is about to end the interpreter."""
        self._error = error

    def _end_all(self) -> None:
        for run in list(self._runs):
            run.end_by(self._error)

    def _catch_sigterm(self) -> None:
        """Only where nobody else does, and only from the main thread, which alone may."""
        if _is_main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _on_sigterm)

    def _release_sigterm(self) -> None:
        if _is_main_thread() and signal.getsignal(signal.SIGTERM) is _on_sigterm:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def terminate(self) -> None:
        """SIGTERM: end all runs, then let the signal do what it does where nobody catches it.

        An end that is being told already, maybe by the code that the signal interrupts, comes first.
        """
        if not self._is_terminated and any(run.is_ending for run in self._runs):
            self._is_terminated = True
            return
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for run in list(self._runs):
            run.end_by(Terminated())
        os.kill(os.getpid(), signal.SIGTERM)

    def _forget_all(self) -> None:
        """In a forked child: its parent's runs are not its own, and neither is how it ends."""
        runs, self._runs = self._runs, []
        for run in runs:
            run.forget()
        if runs:
            self._unwrap()
            self._release_sigterm()


def _noting_exceptions(exits: Exits, hook: ExceptHook) -> ExceptHook:
    def note(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        exits.note(error)
        hook(kind, error, traceback)

    return note


def _noting_exits(exits: Exits, leave: Exit) -> Exit:
    def note(code: str | int | None = None, /) -> NoReturn:
        if _is_main_thread():
            exits.note(SystemExit(code))
        leave(code)

    return note


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _on_sigterm(signum: int, frame: FrameType | None) -> None:
    EXITS.terminate()


EXITS = Exits()
