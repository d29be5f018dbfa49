"""The ledger database: the log, and the rows that work around it (cursors, leases, dispatches, workers)."""
