"""The worker's settings, read once from the environment at the entry point."""

from __future__ import annotations

import msgspec


class TrainerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Each field `foo` is the variable `RUNLEDGER_FOO`."""

    broker_url: str = "memory://"
    """`memory://` within the worker, `redis://…` or `amqp://…`."""
    queue: str = "runledger"
    """Name of the queue, and on Redis the prefix of every key."""
    recipes: tuple[str, ...] = ()
    """`module:attribute,…`: recipes in addition to the entry points of `runledger.recipes`."""
    scorers: tuple[str, ...] = ()
    """`module:attribute,…`: scorers in addition to the entry points of `runledger.scorers`."""
    worker_id: str | None = None
    """Made up from host and process by default."""
    worker_labels: tuple[str, ...] = ()
    """`key=value,…`: a run may ask for them."""
    worker_threads: int = 1
    """Trainings at a time."""
    lease_seconds: float = 15.0
    """How long a worker may be silent before its attempt is lost."""
    poll_seconds: float = 0.5
    """How often a run is asked whether it shall stop, and the queue for something to do."""
    resend_seconds: float = 15.0
    """How long a message may go without effect before it is sent again."""
    grace_seconds: float = 60.0
    """Time to stop at a step boundary and save a checkpoint before the attempt is terminated."""
    terminate_seconds: float = 5.0
    """Time between SIGTERM and SIGKILL."""
    spare_seconds: float = 300.0
    """How long a process that has imported the last attempt's recipe waits for the next; 0: there is none."""
    xla_flags: str | None = None
    """XLA_FLAGS of attempts; by default deterministic operations on GPUs."""

    def __post_init__(self) -> None:
        if min(self.lease_seconds, self.poll_seconds, self.resend_seconds) <= 0:
            raise ValueError("lease_seconds, poll_seconds and resend_seconds must be positive")
        if min(self.grace_seconds, self.terminate_seconds, self.spare_seconds) < 0 or self.worker_threads < 1:
            raise ValueError(
                "grace_seconds, terminate_seconds and spare_seconds must not be negative,"
                " worker_threads 1 or more"
            )
        if not all(
            key and equals for key, equals, _ in (label.partition("=") for label in self.worker_labels)
        ):
            raise ValueError("worker_labels must be key=value pairs")

    @property
    def labels(self) -> dict[str, str]:
        pairs = (label.partition("=") for label in self.worker_labels)
        return {key: value for key, _, value in pairs}
