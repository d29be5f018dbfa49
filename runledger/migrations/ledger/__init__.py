"""Steps of the ledger database."""
