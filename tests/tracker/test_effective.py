from runledger.tracker.effective import NOTHING, cut, points_within, within
from runledger.tracker.events.base import Covers, ResumePoint
from runledger.tracker.ids import Digest


def saved(attempt: int, step: int) -> ResumePoint:
    return ResumePoint(attempt=attempt, step=step, digest=Digest(f"{attempt}-{step}"))


def covers(version: int, offset: int = 0) -> Covers:
    return Covers(version=version, offset=offset)


def test_a_run_that_has_not_started_has_no_points():
    assert cut({}, {}) == {}


def test_the_only_attempt_counts_whole():
    assert cut({1: None}, {saved(1, 10): covers(3)}) == {1: None}


def test_a_resumed_attempt_cuts_its_predecessor_at_what_the_checkpoint_covers():
    checkpoints = {saved(1, 10): covers(3, 7), saved(1, 20): covers(6)}
    assert cut({1: None, 2: saved(1, 10)}, checkpoints) == {1: covers(3, 7), 2: None}


def test_an_attempt_that_starts_from_nothing_discards_all_before_it():
    assert cut({1: None, 2: saved(1, 10), 3: None}, {saved(1, 10): covers(3)}) == {
        1: NOTHING,
        2: NOTHING,
        3: None,
    }


def test_an_attempt_that_saved_nothing_is_skipped_over():
    checkpoints = {saved(1, 10): covers(3)}
    attempts = {1: None, 2: saved(1, 10), 3: saved(1, 10)}
    assert cut(attempts, checkpoints) == {1: covers(3), 2: NOTHING, 3: None}


def test_each_attempt_of_a_chain_is_cut_by_its_successor():
    checkpoints = {saved(1, 10): covers(3), saved(2, 20): covers(4, 2)}
    attempts = {1: None, 2: saved(1, 10), 3: saved(2, 20)}
    assert cut(attempts, checkpoints) == {1: covers(3), 2: covers(4, 2), 3: None}


def test_the_checkpoint_of_another_run_ends_the_chain():
    foreign = ResumePoint(attempt=1, step=99, digest=Digest("foreign"))
    assert cut({1: foreign, 2: None}, {}) == {1: NOTHING, 2: None}
    assert cut({1: foreign}, {}) == {1: None}


def test_points_of_a_batch_within_a_limit():
    assert points_within(2, 10, None) == 10
    assert points_within(2, 10, covers(3)) == 10
    assert points_within(3, 10, covers(3, 4)) == 4
    assert points_within(3, 10, covers(3, 40)) == 10
    assert points_within(4, 10, covers(3, 4)) == 0


def test_what_lies_within_a_limit():
    assert within(covers(3, 4), None)
    assert within(covers(3, 4), covers(3, 4))
    assert not within(covers(3, 5), covers(3, 4))
