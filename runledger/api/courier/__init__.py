"""The way of a journal to a tracker over HTTP: a process of its own, and `runledger sync`."""
