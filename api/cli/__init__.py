"""The `runledger` command. Exit statuses stand in `exits.py`; each subcommand has a file of its own."""
