"""From facts and read models to answers."""
