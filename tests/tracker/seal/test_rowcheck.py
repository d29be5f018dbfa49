"""Chains of streams, of bounded memory."""

from __future__ import annotations

from msgspec.structs import replace

from runledger.tracker.envelope import Metadata
from runledger.tracker.seal.rawlog import RawLog
from runledger.tracker.seal.rowcheck import Chains
from runledger.tracker.store.log import Log
from tests.tracker.seal.attacks import Attacker, rehashed
from tests.tracker.seal.histories import History, write_of


def test_the_ends_that_are_not_kept_are_looked_up(history: History) -> None:
    history.append(30)
    raw = RawLog(history.log.engine)
    asked: list[str] = []

    def look_up(stream: str, position: int) -> tuple[int, bytes] | None:
        asked.append(stream)
        return raw.tip(stream, position)

    chains = Chains(history.log.log_id, look_up, kept=1)
    for page, _ in raw.pages(0, 30):
        for row in page:
            assert chains.check(row) is None
    assert len(asked) > 3


def test_a_stream_that_begins_twice_is_found_though_its_end_was_not_kept(history: History) -> None:
    history.append(12)
    rows = Attacker(history.log.engine).rows()
    forged = rehashed(history.log.log_id, [rows[-1]._replace(version=1)])[0]
    raw = RawLog(history.log.engine)
    chains = Chains(history.log.log_id, raw.tip, kept=1)
    for row in rows[:-1]:
        assert chains.check(row) is None
    assert "follows on version" in str(chains.check(forged))


def test_an_empty_id_is_stored_as_none(log: Log) -> None:
    """The hash does not tell them apart, so one of the two has to be a fault."""
    write = write_of("run-a", 0, bytes(16))
    nobody = Metadata(actor="test", correlation_id="", causation_id="")
    log.append(replace(write, events=(replace(write.events[0], metadata=nobody),)))
    (recorded,) = log.read("run-a")
    assert (recorded.correlation_id, recorded.causation_id) == (None, None)
