"""`python -P -m runledger.trainer.attempt.spare REFERENCE`: imports what a recipe needs, then waits for work.

stdin is a socket to the supervisor. It says `ready DIGEST` once the recipe's code is loaded, or `failed`;
what it gets is the folder of an attempt with two open files, the folder's lock and the attempt's output, and
from then on it is that attempt. Where an import failed, or a file that it has loaded is another one by then,
it begins anew as a fresh process would. When the socket closes it ends, also in the middle of an import. It
only imports: no device is touched before there is an attempt.
"""

from __future__ import annotations

import importlib
import logging
import os
import queue
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

from runledger.tracker import environment
from runledger.trainer import recipes
from runledger.trainer.attempt.__main__ import close_stdin, end, set_up_logging, work
from runledger.trainer.attempt.control import Control, end_group
from runledger.trainer.attempt.job import Folder

logger = logging.getLogger(__name__)

READY = "ready"
FAILED = "failed"
FILES = 2
"""The lock of the attempt's folder, which is merely held, and its output."""
ORDER_BYTES = 4096


class Order(NamedTuple):
    """To be the attempt of this folder."""

    folder: Folder
    lock: int
    output: int


class Loaded:
    """The files of what was imported, as they were then."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[int, int] | None] = {}

    def take_in(self) -> None:
        files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
        self._files = {file: _state_of(file) for file in files if isinstance(file, str)}

    def has_changed(self) -> bool:
        """A file is another one, or gone; a fresh process would import what stands there now."""
        return any(_state_of(file) != state for file, state in self._files.items())


def _state_of(file: str) -> tuple[int, int] | None:
    try:
        found = os.stat(file)  # noqa: PTH116 — thousands of them
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def main(arguments: list[str]) -> int:
    """As `trainer.attempt`; 2 for bad usage."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -P -m runledger.trainer.attempt.spare REFERENCE\n")
        return 2
    set_up_logging()
    supervisor = socket.socket(fileno=os.dup(0))
    close_stdin()
    control = Control()
    orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
    loaded = Loaded()
    threading.Thread(
        target=_follow, args=(supervisor, orders, control, loaded), name="control", daemon=True
    ).start()
    try:
        digest = import_ahead(arguments[0])
    except (Exception, SystemExit):  # noqa: BLE001 — foreign code; a fresh process tells what it raises
        traceback.print_exc()
        supervisor.sendall(f"{FAILED}\n".encode())
        begin_anew(orders.get(), supervisor)  # an attempt may have been on its way; else it is let go
    loaded.take_in()
    supervisor.sendall(f"{READY} {digest}\n".encode())
    order = orders.get()
    redirect(order.output)
    sys.argv[1:] = [str(order.folder.path)]
    return work(order.folder, control, imported=digest)


def import_ahead(reference: str) -> str:
    """Load the recipe with all that its training imports; the digest of its source."""
    recipe = recipes.load(reference)
    for module in recipe.imports:
        importlib.import_module(module)
    environment.lock_digest()
    return recipes.digest_of(recipe, reference)


def begin_anew(order: Order, supervisor: socket.socket) -> NoReturn:
    """This process becomes a fresh one of the same attempt, with the same socket, lock and output."""
    redirect(order.output)
    os.dup2(supervisor.fileno(), 0)
    os.set_inheritable(order.lock, True)
    words = [sys.executable, "-P", "-m", "runledger.trainer.attempt", str(order.folder.path)]
    os.execv(sys.executable, words)  # noqa: S606 — the very interpreter that runs this


def redirect(output: int) -> None:
    """What was printed so far, and all that will be, is the attempt's output."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(output, os.pread(1, os.fstat(1).st_size, 0))
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)


def _follow(
    supervisor: socket.socket, orders: queue.SimpleQueue[Order], control: Control, loaded: Loaded
) -> None:
    """Whatever ends this thread ends the process: nobody supervises it any more."""
    try:
        order, rest = _first(supervisor)
        if not rest and loaded.has_changed():
            begin_anew(order, supervisor)
        orders.put(order)
        control.follow(_lines(rest, supervisor))
    finally:
        end_group()


def _first(supervisor: socket.socket) -> tuple[Order, str]:
    """The attempt, and what was said behind it. Raises OSError where nobody is there any more."""
    received, files = b"", list[int]()
    while b"\n" not in received:
        some, more, _, _ = socket.recv_fds(supervisor, ORDER_BYTES, FILES)
        if not some:
            raise ConnectionAbortedError
        received, files = received + some, files + more
    path, _, rest = received.decode().partition("\n")
    return Order(Folder(Path(path)), *files), rest


def _lines(begun: str, supervisor: socket.socket) -> Iterator[str]:
    yield from begun.splitlines()
    yield from supervisor.makefile(encoding="utf-8")


if __name__ == "__main__":
    end(main(sys.argv[1:]))
