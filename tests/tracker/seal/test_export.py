"""An export holds, and no part of it can be changed."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runledger.tracker.envelope import Metadata, NewEvent, Write
from runledger.tracker.errors import NotFound
from runledger.tracker.events.base import Score
from runledger.tracker.events.run import RunEvaluated
from runledger.tracker.ids import EvaluationId, Stream
from runledger.tracker.seal.errors import Contradicted, ExportInvalid, NotSealed
from runledger.tracker.seal.export import (
    ExportedEvent,
    Header,
    StreamEnd,
    manifest_of,
    read_event,
    write_line,
)
from runledger.tracker.seal.exporting import Exported, export_run
from runledger.tracker.seal.notes import public_key_of, sign
from runledger.tracker.seal.offline import ExportVerified, verify_export
from runledger.tracker.seal.seal import read_seal
from tests.tracker.builders import checkpointed
from tests.tracker.seal.attacks import Attacker
from tests.tracker.seal.histories import KEY, History

AT = datetime(2026, 1, 3, tzinfo=UTC)


def tell(history: History, stream: str, event: Any) -> None:
    new = NewEvent(event_id=uuid4(), event=event, occurred_at=AT, metadata=Metadata(actor="w"))
    history.log.append(
        Write(stream=Stream(stream), expected_version=history.log.version(stream), events=(new,))
    )


@pytest.fixture
def whole(history: History) -> History:
    history.append(9)
    tell(history, "run-a", checkpointed(3))
    tell(
        history,
        "run-a",
        RunEvaluated(
            attempt=1,
            step=3,
            benchmark_id="b",
            evaluation_id=EvaluationId("e1"),
            scores=(Score(name="exact_match", value=0.5, count=2),),
        ),
    )
    history.append(12, ("run-a", "evaluation-e1", "run-b", "telemetry-a-1", "telemetry-ab-1"))
    history.seal(most_leaves=16)
    return history


def exported(history: History, run_id: str = "a") -> tuple[bytes, Exported]:
    file = io.BytesIO()
    made = export_run(history.log, run_id, KEY, file, lambda: AT)
    return file.getvalue(), made


def read(history: History, content: bytes) -> ExportVerified:
    return verify_export(io.BytesIO(content), history.keys)


def of(history: History) -> bytes:
    return exported(history)[0]


def test_what_was_exported_is_read_back(whole: History) -> None:
    _, made = exported(whole)
    found = read(whole, of(whole))
    rows = [row for row in Attacker(whole.log.engine).rows() if row.stream in made.streams]
    assert found.events == made.events == len(rows)
    assert set(found.streams) == {"run-a", "telemetry-a-1", "evaluation-e1"}
    assert found.digests == made.digests == [checkpointed(3).digest]
    assert (found.sealed, found.exported_at, made.unsealed) == (23, AT, 0)


def test_what_is_not_sealed_yet_is_counted_and_left_out(whole: History) -> None:
    before = exported(whole)[1].events
    whole.append(3, ("run-a",))
    made = exported(whole)[1]
    assert (made.events, made.unsealed) == (before, 3)


def test_no_byte_of_an_export_can_be_changed(whole: History) -> None:
    """One bit in every seventh byte."""
    content = of(whole)
    for place in range(0, len(content), 7):
        damaged = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        with pytest.raises(ExportInvalid):
            read(whole, damaged)


def lines_of(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


def drop(lines: list[bytes], place: int) -> list[bytes]:
    return lines[:place] + lines[place + 1 :]


def double(lines: list[bytes], place: int) -> list[bytes]:
    return lines[: place + 1] + lines[place:]


def swap(lines: list[bytes], place: int) -> list[bytes]:
    other = place - 1
    return [*lines[:other], lines[place], lines[other], *lines[place + 1 :]]


def cut(lines: list[bytes], place: int) -> list[bytes]:
    return [*lines[:place], lines[place][: len(lines[place]) // 2]]


@pytest.mark.parametrize("change", [drop, double, swap, cut])
def test_no_line_can_be_dropped_doubled_moved_or_cut(
    whole: History, change: Callable[[list[bytes], int], list[bytes]]
) -> None:
    lines = lines_of(of(whole))
    for place in range(1, len(lines)):
        with pytest.raises(ExportInvalid):
            read(whole, b"".join(change(lines, place)))
    with pytest.raises(ExportInvalid):
        read(whole, b"".join(lines) + b"\n")


FIELDS = ExportedEvent.__struct_fields__


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_of_an_event_can_be_changed(whole: History, field: str) -> None:
    lines = lines_of(of(whole))
    place = random.Random(field).randrange(1, len(lines))
    event = json.loads(lines[place])
    event[field] = other(field, event[field])
    changed = json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    assert changed != lines[place]
    with pytest.raises(ExportInvalid) as refusal:
        read(whole, b"".join([*lines[:place], changed, *lines[place + 1 :]]))
    assert refusal.value.line in (place + 1, place + 2)


def other(field: str, value: Any) -> Any:
    if field == "proof":
        return value[1:]
    if field == "event_id":
        return str(uuid4())
    if field in ("prev_hash", "hash", "payload"):
        return ("B" if value[0] != "B" else "C") + value[1:]
    return value + 1 if isinstance(value, int) else "x"


def test_events_of_another_run_prove_nothing_for_this_one(whole: History) -> None:
    """Every line holds by itself; the manifest is that of the other run."""
    header = lines_of(exported(whole, "a")[0])[:1]
    events = lines_of(exported(whole, "b")[0])[1:]
    with pytest.raises(ExportInvalid, match="line 1: the manifest is not that of the events"):
        read(whole, b"".join([*header, *events]))


def forged(history: History, content: bytes, change: Callable[[list[Any]], list[Any]]) -> bytes:
    """By whoever has the key: other events under a manifest of their own."""
    header, *lines = lines_of(content)
    found = verify_export(io.BytesIO(content), history.keys)
    seal = read_seal(json.loads(header)["seal"], history.log.log_id, history.keys)
    events = change([read_event(2, line) for line in lines])
    streams = {event.stream: StreamEnd(event.version, event.hash) for event in events}
    manifest = manifest_of("a", found.exported_at, seal, streams, set(found.digests))
    signed = sign(manifest.text, history.log.log_id, KEY)
    first = write_line(Header(manifest=signed, seal=json.loads(header)["seal"]))
    return first + b"".join(map(write_line, events))


def test_a_proof_of_another_event_leads_nowhere(whole: History) -> None:
    """Even where the key has signed it."""

    def exchange(events: list[Any]) -> list[Any]:
        return [events[0], msgspec.structs.replace(events[1], proof=events[0].proof), *events[2:]]

    content = of(whole)
    assert read(whole, forged(whole, content, lambda events: events)) == read(whole, content)
    with pytest.raises(ExportInvalid, match="line 3: its proof does not lead to the root that was sealed"):
        read(whole, forged(whole, content, exchange))
    with pytest.raises(ExportInvalid, match="line 2: it is not in the order of positions"):
        read(whole, forged(whole, content, _moved_behind_the_seal))


def _moved_behind_the_seal(events: list[Any]) -> list[Any]:
    return [msgspec.structs.replace(events[0], position=24), *events[1:]]


@pytest.mark.parametrize("text", ["nothing\n", "a\nlog\nrun a\ntime 2026-13-03T00:00:00.000000Z\n"])
def test_a_signed_text_that_is_no_manifest(whole: History, text: str) -> None:
    header = json.loads(lines_of(of(whole))[0])
    first = Header(manifest=sign(text, whole.log.log_id, KEY), seal=header["seal"])
    with pytest.raises(ExportInvalid, match="line 1: not"):
        read(whole, write_line(first))


def test_a_seal_or_a_manifest_of_another_export_does_not_fit(whole: History) -> None:
    old = json.loads(lines_of(of(whole))[0])
    whole.append(3)
    whole.seal()
    new = lines_of(of(whole))
    for part in ("seal", "manifest"):
        mixed = json.loads(new[0]) | {part: old[part]}
        header = json.dumps(mixed, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        with pytest.raises(ExportInvalid):
            read(whole, b"".join([header, *new[1:]]))


def test_another_key_trusts_nothing(whole: History) -> None:
    stranger = public_key_of(whole.log.log_id, Ed25519PrivateKey.generate())
    with pytest.raises(ExportInvalid, match="line 1: not signed by a known key"):
        verify_export(io.BytesIO(of(whole)), [stranger])


@pytest.mark.parametrize("content", [b"", b"{}\n", b"\n", b"nothing", b'{"format":"runledger-export/2"}\n'])
def test_what_is_no_export(whole: History, content: bytes) -> None:
    with pytest.raises(ExportInvalid, match="line 1"):
        read(whole, content)


def test_what_cannot_be_exported(history: History) -> None:
    history.append(2, ("run-a",))
    with pytest.raises(NotSealed, match="no seal yet"):
        exported(history)
    history.seal()
    with pytest.raises(NotFound, match="run 'nobody'"):
        exported(history, "nobody")
    history.append(1, ("run-b",))
    with pytest.raises(NotSealed, match="nothing of run b"):
        exported(history, "b")


def test_a_log_that_is_not_what_was_sealed_is_not_exported(whole: History) -> None:
    Attacker(whole.log.engine).run("UPDATE events SET recorded_at = 5 WHERE position = 1")
    with pytest.raises(Contradicted, match="something is not as sealed"):
        exported(whole)
    Attacker(whole.log.engine).run("UPDATE seals SET root = frontier")
    with pytest.raises(Contradicted, match="its seal in the database does not hold"):
        exported(whole)
