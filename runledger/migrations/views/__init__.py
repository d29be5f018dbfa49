"""Steps of the views database."""
