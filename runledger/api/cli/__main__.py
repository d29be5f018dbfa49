"""`python -P -m runledger.api.cli`: the same as `runledger`."""

from runledger.api.cli import main

main()
