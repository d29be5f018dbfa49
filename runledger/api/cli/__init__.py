"""The `runledger` command. Exit statuses stand in `exits.py`; each subcommand has a file of its own."""

from runledger.api.cli.app import main

__all__ = ["main"]
