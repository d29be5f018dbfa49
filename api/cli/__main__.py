"""`python -P -m api.cli`: the same as `runledger`."""

from api.cli import main

main()
