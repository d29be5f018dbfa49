"""The dataset formats: canonical bytes, ids, and lines that are refused by their number."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runledger.tracker import datasets
from runledger.tracker.datasets import Item, Text, Trace
from runledger.tracker.errors import BadInput

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
traces = st.builds(Trace, prompt=words, steps=st.lists(words, max_size=3).map(tuple), answer=words).map(
    datasets.identified
)


def canonical(items: list[Item]) -> bytes:
    to = io.BytesIO()
    datasets.write(items, to)
    return to.getvalue()


@given(st.lists(traces, min_size=1, unique_by=lambda item: item.id))
def test_canonical_bytes_read_back_as_themselves(items: list[Item]) -> None:
    lines = canonical(items).splitlines(keepends=True)
    assert list(datasets.load("traces", lines)) == items
    assert canonical(list(datasets.read("traces", lines))) == b"".join(lines)


def test_key_order_and_white_space_do_not_change_the_digest() -> None:
    one = [b'{"prompt": "1+1=", "answer": "2"}\n']
    other = [b"\n", b'{"answer":"2","prompt":"1+1=","steps":[]}\r\n', b"  \n"]
    assert canonical(list(datasets.read("traces", one))) == canonical(list(datasets.read("traces", other)))


def test_a_given_id_is_kept_and_a_missing_one_comes_from_the_content() -> None:
    given_id, made = datasets.read("text", [b'{"id":"a","text":"x"}', b'{"text":"x"}'])
    assert given_id.id == "a"
    assert made.id == datasets.content_digest(Text(text="x"))[:16]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"prompt": 1, "answer": "2"}', r"\$\.prompt: Expected `str`"),
        (b'{"prompt": "", "answer": "2"}', r"\$\.prompt: Expected `str` of length >= 1"),
        (b'{"prompt": "1+1="}', "missing required field `answer`"),
        (b'{"prompt": "1+1=", "answer": "2", "tags": []}', "unknown field `tags`"),
        (b"{", "truncated"),
        (b'{"prompt": "\xff", "answer": "2"}', "(?i)utf-8"),
        (b'{"prompt": "\\ud800", "answer": "2"}', "(?i)surrogate|invalid"),
        (b'["1+1=", "2"]', "Expected `object`"),
    ],
)
def test_the_first_line_that_does_not_fit_is_named(line: bytes, problem: str) -> None:
    lines = [b'{"prompt": "1+1=", "answer": "2"}', line, b"also bad"]
    with pytest.raises(BadInput, match=problem) as refused:
        list(datasets.read("traces", lines))
    assert refused.value.place == "line 2"


def test_an_id_stands_once() -> None:
    with pytest.raises(BadInput, match="line 3: id 'a' stands already on line 1"):
        list(datasets.read("text", [b'{"id":"a","text":"x"}', b"", b'{"id":"a","text":"y"}']))


def test_no_items_are_refused() -> None:
    with pytest.raises(BadInput, match="at least one item"):
        list(datasets.read("text", [b"\n"]))


def test_an_overlong_line_is_refused() -> None:
    with pytest.raises(BadInput, match="line 1"):
        list(datasets.read("text", [b'{"text":"' + b"x" * datasets.MAX_LINE_BYTES + b'"}']))


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(BadInput, match="'csv' is none of text, traces"):
        list(datasets.read("csv", [b"a,b"]))


def test_statistics_count_characters() -> None:
    contents = datasets.write(datasets.read("text", [b'{"text":"ab"}', b'{"text":"abcd"}']), io.BytesIO())
    assert contents.items == 2
    assert contents.statistics == {"text_chars_mean": 3.0, "text_chars_max": 4.0}


def test_questions_are_equal_whatever_their_working() -> None:
    short = Trace(prompt="1+1=", answer="2")
    long = Trace(prompt=" 1+1= ", steps=("1+1+0=2 write 2 carry 0",), answer="2")
    assert datasets.question_digest(short) == datasets.question_digest(long)
    assert datasets.content_digest(short) != datasets.content_digest(long)
