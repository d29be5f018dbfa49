"""The domain and its log: events, commands, decide and evolve, and where they are kept."""
