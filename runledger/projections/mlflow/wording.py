"""A difference between the log and MLflow in a sentence, in the words of `docs/reference/mlflow.md`."""

from __future__ import annotations

from runledger.projections.mlflow.comparing import Difference

MISSING = ", points missing there"
EXTRA = ", points only there"


def in_words(difference: Difference) -> str:
    what, ours, theirs = difference.what, difference.ours, difference.theirs
    match what:
        case "run" if ours == "none":
            return f"the log has no such run, MLflow has it as {theirs}"
        case "run" if theirs == "none":
            return "no run of MLflow's stands for it"
        case "run":
            return f"more than one active run of MLflow's stands for it: {theirs}"
        case _ if what.endswith(MISSING):
            return f"{what.removesuffix(MISSING)}: {theirs} settled points of the log are missing in MLflow"
        case _ if what.endswith(EXTRA):
            return (
                f"{what.removesuffix(EXTRA)}: {theirs} points in MLflow are not effective points of the log"
            )
        case _ if theirs == "none":
            return f"{what}: {ours} by the log, missing in MLflow"
        case _ if ours == "none":
            return f"{what}: {theirs} in MLflow, nothing of it in the log"
        case _:
            return f"{what}: {ours} by the log, {theirs} in MLflow"
