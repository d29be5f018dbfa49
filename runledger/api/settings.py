"""What the API reads from its environment, once, at the entry point."""

from __future__ import annotations

import ipaddress

import msgspec

MEBIBYTE = 1024 * 1024


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Each field stands in the environment as RUNLEDGER_ and its name in capitals."""

    host: str = "127.0.0.1"
    """Address to bind; anything off loopback needs a token."""
    port: int = 8600
    """Port to bind."""
    mlflow_public_url: str | None = None
    """Where people reach MLflow, if not where the sink does: links lead there."""
    allowed_hosts: str = ""
    """Further host names, separated by commas, under which the server may be reached."""
    allowed_origins: str = ""
    """Origins (`https://lab.example`), separated by commas, whose pages may use the API."""
    max_body_bytes: int = 2 * MEBIBYTE
    """Largest body of a request, but for uploads."""
    max_upload_bytes: int = 4096 * MEBIBYTE
    """Largest dataset that may be uploaded."""
    telemetry_bytes: int = 32 * MEBIBYTE
    """Telemetry that may be on its way into the log at a time; what comes on top is answered 429."""
    threads: int = 16
    """Threads, and so database connections at a time, for requests."""
    after_seconds: float = 5.0
    """Longest wait of a reader that asks for a position."""
    worker_missing_seconds: float = 60.0
    """A worker unseen for longer counts as missing in the health report."""

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    address = as_address(host)
    return address is not None and address.is_loopback


def as_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def names(listed: str) -> frozenset[str]:
    """The items of a comma-separated setting."""
    return frozenset(item.strip().lower() for item in listed.split(",") if item.strip())
