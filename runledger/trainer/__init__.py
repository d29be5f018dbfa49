"""From message to facts: how a requested run becomes a training, and a training becomes events."""
