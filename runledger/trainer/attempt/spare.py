"""`python -P -m runledger.trainer.attempt.spare REFERENCE`: imports what a recipe needs, then waits for work.

stdin is a socket to the supervisor. It says `ready DIGEST` once the recipe's code is loaded; what it gets
is the folder of an attempt with two open files, the folder's lock and the attempt's output, and from then
on it is that attempt. When the socket closes it ends, also in the middle of an import. It only imports:
no device is touched before there is an attempt.
"""

from __future__ import annotations

import importlib
import logging
import os
import queue
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from runledger.tracker import environment
from runledger.trainer import recipes
from runledger.trainer.attempt.__main__ import close_stdin, end, set_up_logging, work
from runledger.trainer.attempt.control import Control, end_group
from runledger.trainer.attempt.job import Folder

logger = logging.getLogger(__name__)

READY = "ready"
FILES = 2
"""The lock of the attempt's folder, which is merely held, and its output."""
ORDER_BYTES = 4096


class Order(NamedTuple):
    """To be the attempt of this folder."""

    folder: Folder
    output: int


def main(arguments: list[str]) -> int:
    """As `trainer.attempt`; 2 where there is nothing to import."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -P -m runledger.trainer.attempt.spare REFERENCE\n")
        return 2
    set_up_logging()
    supervisor = socket.socket(fileno=os.dup(0))
    close_stdin()
    control = Control()
    orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
    threading.Thread(target=_follow, args=(supervisor, orders, control), name="control", daemon=True).start()
    digest = import_ahead(arguments[0])
    supervisor.sendall(f"{READY} {digest}\n".encode())
    order = orders.get()
    redirect(order.output)
    return work(order.folder, control, imported=digest)


def import_ahead(reference: str) -> str:
    """Load the recipe with all that its training imports; the digest of its source."""
    recipe = recipes.load(reference)
    for module in recipe.imports:
        importlib.import_module(module)
    environment.lock_digest()
    return recipes.digest_of(recipe, reference)


def redirect(output: int) -> None:
    """What was printed so far, and all that will be, is the attempt's output."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(output, os.pread(1, os.fstat(1).st_size, 0))
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)


def _follow(supervisor: socket.socket, orders: queue.SimpleQueue[Order], control: Control) -> None:
    """Whatever ends this thread ends the process: nobody supervises it any more."""
    try:
        order, rest = _first(supervisor)
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
    return Order(Folder(Path(path)), files[1]), rest


def _lines(begun: str, supervisor: socket.socket) -> Iterator[str]:
    yield from begun.splitlines()
    yield from supervisor.makefile(encoding="utf-8")


if __name__ == "__main__":
    end(main(sys.argv[1:]))
