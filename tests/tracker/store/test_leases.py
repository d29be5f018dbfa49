"""Leases: one holder at a time, by the database's clock; a holder that was taken over is told."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import Engine, update

from runledger.tracker.store import leases
from runledger.tracker.store.engine import read, write
from runledger.tracker.store.tables import leases as table
from runledger.tracker.store.tables import now_micros


def claim(ledger: Engine, stream: str = "run-1", attempt: int = 1, holder: str = "one") -> int | None:
    with write(ledger) as conn:
        return leases.claim(conn, stream, attempt, holder, 60)


def let_expire(ledger: Engine, stream: str = "run-1") -> None:
    """As if the lease's time had passed, by the database's own clock."""
    with write(ledger) as conn:
        conn.execute(update(table).where(table.c.stream == stream).values(expires_at=now_micros() - 1))


def test_a_free_lease_is_claimed_in_its_first_epoch(ledger: Engine) -> None:
    assert claim(ledger) == 1
    with read(ledger) as conn:
        lease = leases.get(conn, "run-1")
        assert leases.get(conn, "run-2") is None
    assert lease is not None
    assert (lease.attempt, lease.epoch, lease.holder, lease.phase) == (1, 1, "one", None)
    assert lease.expires_at - lease.renewed_at == pytest.approx(
        timedelta(seconds=60), abs=timedelta(seconds=1)
    )


def test_a_held_lease_is_not_claimed(ledger: Engine) -> None:
    claim(ledger)
    assert claim(ledger, holder="two") is None
    assert claim(ledger, holder="one") is None
    assert claim(ledger, attempt=2, holder="two") is None


def test_an_expired_lease_is_taken_over_in_the_next_epoch(ledger: Engine) -> None:
    claim(ledger)
    let_expire(ledger)
    assert claim(ledger, attempt=2, holder="two") == 2


def test_a_released_lease_is_free_at_once(ledger: Engine) -> None:
    epoch = claim(ledger) or 0
    with write(ledger) as conn:
        assert leases.release(conn, "run-1", epoch)
        assert not leases.release(conn, "run-1", epoch)
    assert claim(ledger, attempt=2) == 2


def test_an_attempt_that_was_followed_by_another_cannot_come_back(ledger: Engine) -> None:
    claim(ledger, attempt=2)
    let_expire(ledger)
    assert claim(ledger, attempt=1) is None
    assert claim(ledger, attempt=2) == 2


def test_renewing_holds_on_and_tells_how_far_it_is(ledger: Engine) -> None:
    epoch = claim(ledger) or 0
    let_expire(ledger)
    assert leases.renew(ledger, "run-1", epoch, 60, phase="training", done=3, total=10)
    with read(ledger) as conn:
        lease = leases.get(conn, "run-1")
        assert leases.expired(conn) == []
    assert lease is not None
    assert (lease.phase, lease.done, lease.total) == ("training", 3, 10)


def test_only_progress_counts_as_progress(ledger: Engine) -> None:
    epoch = claim(ledger) or 0
    seen = []
    for done in (1, 1, 2):
        assert leases.renew(ledger, "run-1", epoch, 60, phase="training", done=done)
        with read(ledger) as conn:
            seen.append(leases.get(conn, "run-1"))
    first, second, third = [lease.progressed_at for lease in seen if lease is not None]
    assert first == second < third


def test_a_zombie_cannot_renew_release_or_revoke(ledger: Engine) -> None:
    epoch = claim(ledger) or 0
    let_expire(ledger)
    assert claim(ledger, attempt=2, holder="two") == epoch + 1
    assert not leases.renew(ledger, "run-1", epoch, 60)
    with write(ledger) as conn:
        assert not leases.release(conn, "run-1", epoch)
        assert not leases.revoke(conn, "run-1", epoch)
    assert leases.renew(ledger, "run-1", epoch + 1, 60)


def test_a_revoked_lease_begins_the_next_epoch_with_nobody(ledger: Engine) -> None:
    epoch = claim(ledger) or 0
    with write(ledger) as conn:
        assert leases.revoke(conn, "run-1", epoch)
        revoked = leases.get(conn, "run-1")
        assert not leases.revoke(conn, "run-1", epoch + 1)
    assert revoked is not None
    assert (revoked.epoch, revoked.holder) == (epoch + 1, None)
    assert not leases.renew(ledger, "run-1", epoch, 60)
    assert not leases.renew(ledger, "run-1", epoch + 1, 60)
    assert claim(ledger, attempt=2) == epoch + 2


def test_the_expired_and_the_active_are_told_apart(ledger: Engine) -> None:
    for stream in ("run-1", "run-2", "run-3"):
        claim(ledger, stream)
    let_expire(ledger, "run-2")
    with write(ledger) as conn:
        leases.release(conn, "run-3", 1)
        assert [lease.stream for lease in leases.active(conn)] == ["run-1"]
        assert [lease.stream for lease in leases.expired(conn)] == ["run-2"]


def test_of_many_claimers_one_wins(ledger: Engine) -> None:
    claim(ledger)
    let_expire(ledger)
    won: list[int] = []
    ready = threading.Barrier(8)

    def compete(number: int) -> None:
        ready.wait()
        epoch = claim(ledger, attempt=2, holder=str(number))
        if epoch is not None:
            won.append(epoch)

    claimers = [threading.Thread(target=compete, args=(number,), daemon=True) for number in range(8)]
    for claimer in claimers:
        claimer.start()
    for claimer in claimers:
        claimer.join(120)
    assert won == [2]
