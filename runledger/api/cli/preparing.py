"""`python -P -m runledger.api.cli.preparing HOST`: both databases migrated, a token where one must be.

A process of its own, as what it imports would stay in `up` for as long as that lives.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from runledger.api.cli.exits import SetupProblem


def prepare_databases(host: str, environment: Mapping[str, str]) -> None:
    """Raises SetupProblem with what the process says."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "runledger.api.cli.preparing", host],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SetupProblem(done.stderr.strip())


def main(arguments: list[str]) -> int:
    """0, or 1 with the problem on stderr."""
    from runledger.api.cli.databases import upgrade
    from runledger.api.cli.tokens import check_tokens
    from runledger.tracker.errors import TrackerError
    from runledger.tracker.settings import StorageSettings, load

    try:
        storage = load(StorageSettings, os.environ)
        upgrade(storage)
        check_tokens(arguments[0], storage)
    except (SetupProblem, TrackerError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
