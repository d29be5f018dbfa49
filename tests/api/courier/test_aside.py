"""What was refused is kept, once, and known again."""

from __future__ import annotations

from pathlib import Path

from runledger.api.courier.aside import SetAside


def test_a_record_is_kept_once(tmp_path: Path) -> None:
    for _ in range(2):
        aside = SetAside(tmp_path / "refused.jsonl")
        aside.put("a record", "the reason")
        aside.put("another", "the same reason")
    assert len(aside) == 2
    assert (tmp_path / "refused.jsonl").read_bytes().splitlines() == [
        b'{"problem":"the reason","record":"\'a record\'"}',
        b'{"problem":"the same reason","record":"\'another\'"}',
    ]


def test_batches_are_known_again(tmp_path: Path) -> None:
    aside = SetAside(tmp_path / "refused.jsonl")
    aside.put("batch 5", "no", batch=5)
    aside.put("batch 2", "no", batch=2)
    for known in (aside, SetAside(tmp_path / "refused.jsonl")):
        assert [number for number in range(1, 8) if known.has_batch(number)] == [2, 5]
        assert [known.batches_before(number) for number in (2, 3, 5, 6)] == [0, 1, 1, 2]


def test_a_torn_line_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "refused.jsonl"
    SetAside(path).put("a record", "the reason")
    path.write_bytes(path.read_bytes()[:-9] + b"\n")
    aside = SetAside(path)
    assert len(aside) == 0
    aside.put("a record", "the reason")
    assert len(SetAside(path)) == 1
