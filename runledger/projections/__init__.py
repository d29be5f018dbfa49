"""Facts to answers: read models folded from the log, and the MLflow sink."""
