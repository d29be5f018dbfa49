"""The three forms of a batch become one and the same event at the tracker."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runledger.api import batches
from runledger.api.courier.forms import MEDIA_TYPES, Form, encode
from runledger.tracker.journal import Points, metrics_recorded

INT64 = st.integers(-(2**63), 2**63 - 1)
POINTS = st.lists(
    st.builds(
        Points,
        step=INT64,
        time=st.integers(0, 2**52),
        values=st.dictionaries(st.text("abc/é", min_size=1, max_size=9), st.floats(), min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=9,
)


@pytest.mark.parametrize("form", MEDIA_TYPES)
@given(points=POINTS, version=st.none() | st.integers(0, 2**40))
def test_what_is_sent_is_what_was_logged(form: Form, points: list[Points], version: int | None) -> None:
    event = metrics_recorded(points)
    sent = batches.read(MEDIA_TYPES[form], encode(form, event, 7, version), lambda: 0)
    assert (sent.number, sent.version) == (7, version)
    assert sent.event.keys == event.keys
    assert (sent.event.step, sent.event.time) == (event.step, event.time)
    assert sent.event.key_index == event.key_index
    if form == "columns" or not any(math.isnan(each) for record in points for each in record.values.values()):
        assert sent.event.value == event.value


@pytest.mark.parametrize("form", MEDIA_TYPES)
def test_no_number_is_no_obstacle(form: Form) -> None:
    event = metrics_recorded([Points(step=1, time=2, values={"a": math.nan, "b": math.inf, "c": -math.inf})])
    sent = batches.read(MEDIA_TYPES[form], encode(form, event, 1), lambda: 0)
    assert sent.event == event
