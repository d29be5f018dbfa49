"""A run that executes in the user's own process: what it logs goes to a journal on local disk.

A process of its own, `api.courier`, ships the journal; nothing in here speaks to a network.
"""
