"""The two sides held against each other through the mapping: what `runledger mlflow diff` tells.

Looks at MLflow itself, not at what the sink remembers. The note, the user and the end of a run that
goes on again are not compared: MLflow's users may write the first, and its API cannot change the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping

import msgspec

from runledger.projections.mlflow.driver import CHECKPOINT_TAG, PARENT_TAG, Held, Mirror, MlflowDriver
from runledger.projections.mlflow.facts import Facts, effective, settled
from runledger.projections.mlflow.mapping import Content, Known, content, first_tags
from runledger.projections.mlflow.reading import Reader
from runledger.tracker.events.base import Covers
from runledger.tracker.ids import RunId, id_of
from runledger.tracker.store.log import Log

Points = dict[str, set[Hashable]]
"""Per metric, the identities of its points."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    run_id: str
    what: str
    """`run`, `status`, `param lr`, `metric train/loss` …"""
    ours: str
    theirs: str


class _Sides(msgspec.Struct, frozen=True, kw_only=True):
    """One run of ours and its mirror."""

    facts: Facts
    known: Known
    content: Content
    mirror: Mirror
    held: Held
    parent: str | None


def diff(
    log: Log,
    driver: MlflowDriver,
    reader: Reader,
    *,
    run_ids: Collection[str] | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Difference]:
    """Every difference between the log and MLflow; none, when the sink has caught up.

    Of all runs, or of those named. `report` is told how many are done, and of how many.
    """
    mirrors: dict[str, list[Mirror]] = {}
    for mirror in driver.mirrors():
        if mirror.log_id == log.log_id:
            mirrors.setdefault(mirror.run_id, []).append(mirror)
    ours = list(find_runs(log))
    compared = ours if run_ids is None else [run_id for run_id in ours if run_id in run_ids]
    for done, run_id in enumerate(compared):
        report(done, len(compared))
        found = mirrors.get(run_id, [])
        if len(found) == 1:
            yield from _compare(driver, reader, _sides(driver, reader, run_id, found[0], mirrors))
        else:
            yield Difference(run_id=run_id, what="run", ours="one", theirs=_names(found))
    report(len(compared), len(compared))
    for unknown in sorted(mirrors.keys() - set(ours)) if run_ids is None else ():
        yield Difference(run_id=unknown, what="run", ours="none", theirs=_names(mirrors[unknown]))


def expected_points(
    reader: Reader, facts: Facts, content: Content, limits: dict[int, Covers | None]
) -> Points:
    """Within `limits`, and the scores."""
    points: Points = {}
    for portion in reader.portions(facts.run_id, limits, {}):
        for point in portion.points:
            points.setdefault(point.key, set()).add(point.identity)
    for score in content.scores:
        for point in score.points:
            points.setdefault(point.key, set()).add(point.identity)
    return points


def is_beyond_repair(driver: MlflowDriver, mirror: str, held: Held, content: Content, points: Points) -> bool:
    """Whether the mirror holds what MLflow's API can neither change nor take away."""
    datasets = {(use.name, use.digest) for use in content.datasets}
    if held.start_time != content.start_time or not held.datasets <= datasets:
        return True
    if not held.params.items() <= content.params.items():
        return True
    return any(_held_points(driver, mirror, key) - points.get(key, set()) for key in held.keys)


def _names(mirrors: list[Mirror]) -> str:
    return ", ".join(mirror.id for mirror in mirrors) or "none"


def find_runs(log: Log) -> Iterator[RunId]:
    """All runs of the log, in the order of their requests."""
    after = 0
    while True:
        page = log.tail(after, kinds={"run"})
        yield from (RunId(id_of(each.stream)) for each in page.events if each.version == 1)
        if page.scanned == after:
            return
        after = page.scanned


def _sides(
    driver: MlflowDriver, reader: Reader, run_id: RunId, mirror: Mirror, mirrors: Mapping[str, list[Mirror]]
) -> _Sides:
    facts = reader.facts(run_id)
    known = reader.known(facts)
    wanted = content(facts, known)
    parent = mirrors.get(wanted.parent or "")
    return _Sides(
        facts=facts,
        known=known,
        content=wanted,
        mirror=mirror,
        held=driver.held(mirror.id),
        parent=parent[0].id if parent else None,
    )


def _compare(driver: MlflowDriver, reader: Reader, sides: _Sides) -> Iterator[Difference]:
    for what, ours, theirs in _pairs(driver, reader, sides):
        if ours != theirs:
            yield Difference(run_id=sides.content.run_id, what=what, ours=str(ours), theirs=str(theirs))


def _pairs(driver: MlflowDriver, reader: Reader, sides: _Sides) -> Iterator[tuple[str, object, object]]:
    wanted, held = sides.content, sides.held
    yield "name", wanted.name, held.name
    yield "status", wanted.status, held.status
    yield "start time", wanted.start_time, held.start_time
    if wanted.end_time is not None:
        yield "end time", wanted.end_time, held.end_time
    yield from _entries("param", wanted.params, held.params)
    yield from _tags(sides)
    yield "datasets", sorted((use.name, use.digest) for use in wanted.datasets), sorted(held.datasets)
    yield from _points(driver, reader, sides)
    yield from _models(driver, sides)
    yield from _files(driver, sides)


def _entries(
    what: str, ours: Mapping[str, object], theirs: Mapping[str, object]
) -> Iterator[tuple[str, object, object]]:
    for key in sorted(ours.keys() | theirs.keys()):
        yield f"{what} {key}", ours.get(key, "none"), theirs.get(key, "none")


def _tags(sides: _Sides) -> Iterator[tuple[str, object, object]]:
    """MLflow's own tags are its own, but for those that we set."""
    wanted = sides.content.tags | ({PARENT_TAG: sides.parent} if sides.parent else {})
    first = first_tags(sides.content, sides.known)
    theirs = {
        key: value
        for key, value in sides.held.tags.items()
        if key in wanted or not (key in first or key.startswith("mlflow."))
    }
    return _entries("tag", wanted, theirs)


def _points(driver: MlflowDriver, reader: Reader, sides: _Sides) -> Iterator[tuple[str, object, object]]:
    """All that is settled must be there, and nothing that was superseded."""
    needed = expected_points(reader, sides.facts, sides.content, settled(sides.facts.run))
    allowed = expected_points(reader, sides.facts, sides.content, effective(sides.facts.run))
    for key in sorted(needed.keys() | set(sides.held.keys)):
        theirs = _held_points(driver, sides.mirror.id, key)
        missing = needed.get(key, set()) - theirs
        extra = theirs - allowed.get(key, set())
        yield f"metric {key}, points missing there", 0, len(missing)
        yield f"metric {key}, points only there", 0, len(extra)


def _models(driver: MlflowDriver, sides: _Sides) -> Iterator[tuple[str, object, object]]:
    found = {
        model.tags.get(CHECKPOINT_TAG, model.id): model
        for model in driver.find_models(sides.mirror.experiment, sides.mirror.id)
    }
    wanted = {model.key: model for model in sides.content.models}
    yield "checkpoints", sorted(wanted), sorted(found)
    for key in sorted(wanted.keys() & found.keys()):
        step = sides.held.outputs.get(found[key].id)
        yield f"checkpoint {key}", (wanted[key].step, True), (step, found[key].is_ready)
        ours = {
            (point.identity, score.dataset.name, score.dataset.digest)
            for score in sides.content.scores
            if score.model == key
            for point in score.points
        }
        scores = driver.model_scores(found[key].id)
        theirs = {(point.identity, name, digest) for point, name, digest in scores}
        yield f"scores of checkpoint {key}", sorted(ours, key=repr), sorted(theirs, key=repr)


def _files(driver: MlflowDriver, sides: _Sides) -> Iterator[tuple[str, object, object]]:
    found = driver.files(sides.mirror.id)
    wanted = {file.path: file for file in sides.content.files}
    yield "files", sorted(wanted), sorted(found)
    for path in sorted(wanted.keys() & found.keys()):
        if wanted[path].kind == "blob":
            yield f"file {path}", wanted[path].size_bytes, found[path]


def _held_points(driver: MlflowDriver, mirror: str, key: str) -> set[Hashable]:
    return {point.identity for point in driver.points(mirror, key)}
