"""The MLflow sink: what the log says of each run, told to a stock MLflow server.

Only its own process imports mlflow (`remote`); health, links and the rebuild are in `state`.
"""
