from __future__ import annotations

import math
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runledger.projections.mlflow.mapping import clean_name, content, cut_text, first_tags, point
from runledger.projections.mlflow.reading import Reader
from runledger.tracker.events.run import RunEnvironmentRecorded


@pytest.fixture
def mapped(story, log):
    def read(run_id, artifact_bytes=1_000_000):
        reader = Reader(log, public_url="http://runledger.test/", artifact_bytes=artifact_bytes)
        facts = reader.facts(run_id)
        known = reader.known(facts)
        return content(facts, known), known

    return read


@pytest.mark.parametrize("name", ["loss", "train/loss", "a b", "a.b-c:d_e", "größe", "x" * 250])
def test_names_that_mlflow_takes_are_kept(name):
    assert clean_name(name) == name


@pytest.mark.parametrize(
    ("name", "readable"),
    [
        ("loss (%)", "loss ___"),
        ("/loss", "loss"),
        ("../loss", "__/loss"),
        ("a//b", "a/b"),
        ("", "_"),
        (".", "_"),
        ("y" * 251, "y" * 241),
    ],
)
def test_other_names_are_made_to_fit(name, readable):
    assert re.fullmatch(re.escape(readable) + "_[0-9a-f]{8}", clean_name(name))


@given(st.text(max_size=300))
def test_every_name_becomes_one_that_mlflow_takes(name):
    clean = clean_name(name)
    assert 0 < len(clean) <= 250
    assert re.fullmatch(r"[/\w.\- :]*", clean)
    assert clean_name(clean) == clean


@given(st.text(max_size=40), st.text(max_size=40))
def test_different_names_stay_different(one, other):
    assert (one == other) == (clean_name(one) == clean_name(other))


def test_a_text_that_is_cut_says_so():
    assert cut_text("short", 5) == "short"
    assert re.fullmatch("x{11}…[0-9a-f]{8}", cut_text("x" * 30, 20))
    assert cut_text("a\0b", 5) == "ab"


def test_points_as_mlflow_gives_them_back():
    assert point("loss", 3, 1_999, 0.5) == ("loss", 3, 1, 0.5)
    assert point("loss", 3, 0, math.inf).value == sys.float_info.max
    assert point("loss", 3, 0, -math.inf).value == -sys.float_info.max
    assert math.copysign(1, point("loss", 3, 0, -0.0).value) == 1
    assert point("loss", 3, 0, math.nan).identity == point("loss", 3, 0, math.nan).identity


def test_params_are_what_python_prints(story, mapped):
    values = {"lr": 1e-5, "tied": True, "limit": None, "sizes": [1, 2], "text": "y" * 7_000, "a*b": 1}
    wanted, _ = mapped(story.request(values=values))
    assert wanted.params["lr"] == "1e-05"
    assert (wanted.params["tied"], wanted.params["limit"]) == ("True", "None")
    assert (wanted.params["sizes.0"], wanted.params["sizes.1"]) == ("1", "2")
    assert len(wanted.params["text"]) == 6_000
    assert wanted.params[clean_name("a*b")] == "1"


def test_tags_tell_who_and_what(story, mapped):
    run = story.request(tags={"team": "a", "runledger.run": "forged", "mlflow.user": "forged"})
    story.start(run)
    environment = RunEnvironmentRecorded(
        attempt=1, versions={"jax": "1"}, devices=("cpu:0", "cpu:1"), code_revision="abc"
    )
    position = story.tell(f"run-{run}", environment)
    wanted, known = mapped(run)
    assert wanted.tags == {
        "team": "a",
        "tag.runledger.run": "forged",
        "tag.mlflow.user": "forged",
        "mlflow.source.name": "lm",
        "mlflow.source.type": "PROJECT",
        "mlflow.source.git.commit": "abc",
        "runledger.position": str(position),
        "runledger.attempts": "1",
        "runledger.status": "running",
        "runledger.recipe": "lm 1",
        "runledger.devices": "cpu:0, cpu:1",
    }
    first = first_tags(wanted, known)
    assert (first["runledger.run"], first["mlflow.user"]) == (run, "api:local")
    assert f"http://runledger.test/api/v1/runs/{run}" in first["mlflow.note.content"]


def test_the_data_is_named_by_a_prefix_of_its_digest(story, mapped):
    digest = story.dataset("sums")
    wanted, _ = mapped(story.request(values={"data": {"train": digest}, "not data": "f" * 64}))
    (use,) = wanted.datasets
    assert (use.name, use.digest, use.context) == ("sums", digest[:36], "training")
    assert digest in use.source


def test_large_files_are_referred_to(story, mapped):
    run = story.request()
    story.start(run)
    story.checkpoint(run, 4, story.points(run, range(5)), content=b"x" * 1_001)
    story.checkpoint(run, 5, story.points(run, range(1)), content=b"x" * 1_000)
    wanted, _ = mapped(run, artifact_bytes=1_000)
    assert [file.kind for file in wanted.files] == ["reference", "blob"]
    assert wanted.files[0].path.endswith(".tar.reference.json")
