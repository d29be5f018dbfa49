"""The faces: REST, server-sent events and the `runledger` command."""
