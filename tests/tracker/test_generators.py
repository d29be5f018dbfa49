"""The generators: the same bytes each time, correct working, and nothing in both splits."""

from __future__ import annotations

import io
import re

import pytest

from runledger.tracker import datasets, generators
from runledger.tracker.datasets import Text, Trace
from runledger.tracker.errors import BadInput
from runledger.tracker.spec import JsonObject

STEP = re.compile(r"(\d)([+-])(\d)[+-]([01])=([01])(\d)")


def bytes_of(name: str, options: JsonObject) -> bytes:
    to = io.BytesIO()
    datasets.write(generators.generate(name, options), to)
    return to.getvalue()


def traces(**options: object) -> list[Trace]:
    items = list(generators.generate("arithmetic", dict(options)))
    assert all(isinstance(item, Trace) for item in items)
    return [item for item in items if isinstance(item, Trace)]


def test_the_same_options_give_the_same_bytes() -> None:
    options: JsonObject = {"seed": 7, "items": 200}
    assert bytes_of("arithmetic", options) == bytes_of("arithmetic", options)
    assert bytes_of("arithmetic", options) != bytes_of("arithmetic", {"seed": 8, "items": 200})


def test_the_bytes_of_the_first_items_stay_as_they_are() -> None:
    first = bytes_of("arithmetic", {"seed": 0, "items": 1})
    assert first == (
        b'{"id":"71663fcf455ebc43","prompt":"478-56=","steps":["8-6-0=02","7-5-0=02","4-0-0=04"],"answer":"422"}\n'
    )


def test_every_answer_is_right_and_every_operand_has_two_digits_or_more() -> None:
    for item in traces(items=500, digits_max=4):
        left, operation, right = re.split(r"([+-])", item.prompt.removesuffix("="))
        assert min(int(left), int(right)) >= 10
        assert int(item.answer) == (int(left) + int(right) if operation == "+" else int(left) - int(right))


def test_every_step_is_right_and_the_digits_written_are_the_answer() -> None:
    for item in traces(items=500):
        written, passed_on = "", "0"
        for step in item.steps:
            found = STEP.fullmatch(step)
            assert found is not None, step
            left, sign, right, passed_in, now_passed_on, digit = found.groups()
            signed = 1 if sign == "+" else -1
            assert passed_in == passed_on
            assert int(left) + signed * (int(right) + int(passed_in)) == int(digit) + signed * 10 * int(
                now_passed_on
            )
            written, passed_on = digit + written, now_passed_on
        assert int(written) == int(item.answer)


def test_ids_are_unique_and_come_from_the_content() -> None:
    items = traces(items=2_000)
    assert len({item.id for item in items}) == 2_000
    assert all(item.id == datasets.content_digest(item)[:16] for item in items)


def questions(**options: object) -> set[tuple[str, ...]]:
    """Operands in any order, so that 17+25 and 25+17 are one question."""
    return {tuple(sorted(re.findall(r"\d+|[+-]", item.prompt))) for item in traces(**options)}


def test_train_and_heldout_share_no_question_whatever_the_seeds() -> None:
    train = questions(split="train", seed=1, digits_max=2, items=9_000)
    heldout = questions(split="heldout", seed=2, digits_max=2, items=1_000)
    assert not train & heldout


def test_only_the_operations_asked_for_are_drawn() -> None:
    assert all("+" in item.prompt for item in traces(items=50, operations=["+"]))


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"items": 0}, "$.options.items"),
        ({"digits_min": 1}, "$.options.digits_min"),
        ({"digits_min": 4, "digits_max": 3}, "$.options"),
        ({"seed": "x"}, "$.options.seed"),
        ({"items": 2_000, "digits_max": 2, "split": "heldout"}, "$.options.items"),
        ({"sead": 1}, "$.options"),
    ],
)
def test_options_that_do_not_fit_are_named(options: JsonObject, place: str) -> None:
    with pytest.raises(BadInput) as refused:
        generators.generate("arithmetic", options)
    assert refused.value.place == place


def test_an_unknown_generator_is_named() -> None:
    with pytest.raises(BadInput, match="'poems' is none of arithmetic, stdlib"):
        generators.generate("poems", {})


def test_complete_options_name_every_default() -> None:
    assert generators.complete_options("arithmetic", {"seed": 3}) == {
        "seed": 3,
        "items": 20_000,
        "digits_min": 2,
        "digits_max": 3,
        "operations": ["+", "-"],
        "split": "train",
    }


def test_the_library_comes_in_texts_of_bounded_length() -> None:
    items = list(generators.generate("stdlib", {"items": 200, "max_chars": 1_000}))
    assert len(items) == 200
    assert all(isinstance(item, Text) and 0 < len(item.text) <= 1_000 for item in items)
    assert bytes_of("stdlib", {"items": 50}) == bytes_of("stdlib", {"items": 50})


def test_no_text_of_the_library_is_both_learned_and_held_out() -> None:
    learned, heldout = (
        {item.id for item in generators.generate("stdlib", {"items": 1_000_000, "split": split})}
        for split in ("train", "heldout")
    )
    assert len(heldout) > 200
    assert not learned & heldout


def test_another_pythons_library_is_refused() -> None:
    with pytest.raises(BadInput, match=r"'2\.7' was asked for"):
        generators.generate("stdlib", {"python": "2.7"})


def test_the_librarys_version_is_filled_in() -> None:
    options = generators.complete_options("stdlib", {})
    assert generators.complete_options("stdlib", options) == options
    assert options["python"]
