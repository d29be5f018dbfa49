"""`python -P -m runledger.trainer.attempt FOLDER`: one job, as FOLDER/job.json says; stdin is a pipe.

The pipe is the supervisor's: its end ends this process.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from runledger.tracker.journal_writer import Journal
from runledger.trainer.attempt.control import Control
from runledger.trainer.attempt.execution import Terminated, execute
from runledger.trainer.attempt.job import Folder


def main(arguments: list[str]) -> int:
    """0: completed or stopped; 1: failed, the journal says why; 2: not even begun."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -P -m runledger.trainer.attempt FOLDER\n")
        return 2
    set_up_logging()
    control = Control()
    control.listen(os.fdopen(os.dup(0), encoding="utf-8"))
    close_stdin()
    return work(Folder(Path(arguments[0]).absolute()), control)


def work(folder: Folder, control: Control, imported: str | None = None) -> int:
    """Execute the attempt of this folder. `imported` is the digest of the code that was loaded ahead."""
    signal.signal(signal.SIGTERM, _terminate)
    job = folder.read_job()
    journal = Journal(folder.journal, job.run_id, job.attempt)
    ended = execute(folder, job, journal, control, imported)
    journal.close()
    return 1 if ended.outcome == "failed" else 0


def set_up_logging() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("absl").setLevel(logging.WARNING)  # orbax tells each step of each save


def close_stdin() -> None:
    """Nothing of the recipe may read what the supervisor says."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def end(status: int) -> NoReturn:
    """At once: threads that a recipe left behind do not hold the device."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _terminate(signum: int, frame: FrameType | None) -> None:
    """Once: what follows is only how it ended."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated


if __name__ == "__main__":
    end(main(sys.argv[1:]))
