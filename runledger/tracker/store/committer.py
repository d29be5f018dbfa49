"""How a group of appends gets committed: the fast way first, then the careful way for what it left.

An append that is refused does not fail its neighbours. Where the database is lost around a COMMIT nobody
knows what it did: the events are looked for by their ids before anything is said.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from runledger.tracker.errors import Fenced, StoreUnavailable, TrackerError, WrongExpectedVersion
from runledger.tracker.store.appends import Append, Row, Tip, chain
from runledger.tracker.store.at_once import insert_at_once, tips_of
from runledger.tracker.store.commit import find, position_of, settle, settle_alone
from runledger.tracker.store.direct import DRIVER_ERRORS, INTEGRITY_ERRORS, Direct, Rows
from runledger.tracker.store.engine import read, write

logger = logging.getLogger(__name__)

Outcome = int | Exception

KNOWN_TIPS = 20_000


class Committer:
    """Used by one thread at a time, but for `commit_within`."""

    def __init__(self, engine: Engine, log_id: str) -> None:
        self._engine = engine
        self._log_id = log_id
        self._known: dict[str, Tip] = {}
        self._kept: Direct | None = None

    def commit(self, appends: Sequence[Append]) -> list[Outcome]:
        """The position of each append's last event, or what refused it."""
        done = self._commit_at_once(appends)
        if None not in done:
            return cast("list[Outcome]", done)
        left = [index for index, outcome in enumerate(done) if outcome is None]
        carefully = self._commit_carefully([appends[index] for index in left]) if left else []
        for index, outcome in zip(left, carefully, strict=True):
            done[index] = outcome
        return [outcome for outcome in done if outcome is not None]

    def fetch(self, statement: str, parameters: Sequence[Any]) -> Rows | None:
        """The answer over the connection that commits; None where there is none, or it is lost."""
        if self._kept is None:
            return None
        try:
            return self._kept.fetch(statement, parameters)
        except (StoreUnavailable, *DRIVER_ERRORS):
            self.close()
            return None
        except BaseException:
            self.close()  # in whatever state it was left
            raise

    def commit_within(self, append: Append, within: Callable[[Connection], None]) -> int:
        """`within` and the append in one transaction; what was appended before is not done again."""
        begun = False
        try:
            with write(self._engine) as conn:
                begun = True
                before = position_of(append, find(conn, append.event_ids))
                if before is not None:
                    return before
                within(conn)
                return settle_alone(conn, self._log_id, append)
        except StoreUnavailable as problem:
            if not begun:
                raise
            return _accepted(self._read_back([append], problem)[0])
        except (WrongExpectedVersion, Fenced, IntegrityError):
            before = self._look(append)  # it may have got in since the first look
            if before is None:
                raise
            return before

    def close(self) -> None:
        """Let go of the connection that is kept between commits."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _commit_at_once(self, appends: Sequence[Append]) -> list[Outcome | None]:
        """All that can go the fast way. None for what did not, whatever the reason."""
        begun = False
        try:
            direct = self._keep()
            direct.begin()
            begun = True
            return self._transact(direct, appends)
        except StoreUnavailable as problem:
            self.close()
            if not begun:
                return [*_copies(problem, appends)]
            logger.warning("looking again: %s", problem)
        except INTEGRITY_ERRORS:
            self._undo()
        except DRIVER_ERRORS as problem:
            logger.warning("looking again: %s", problem)
            self.close()
        except BaseException:
            self.close()  # in whatever state it was left
            raise
        return [None] * len(appends)

    def _keep(self) -> Direct:
        if self._kept is None:
            self._kept = Direct(self._engine)
        return self._kept

    def _undo(self) -> None:
        try:
            self._keep().roll_back()
        except (StoreUnavailable, *DRIVER_ERRORS):
            self.close()

    def _transact(self, direct: Direct, appends: Sequence[Append]) -> list[Outcome | None]:
        tips = self._tips_for(direct, appends)
        before = [(stream, tip.version, tip.hash) for stream, tip in tips.items()]
        rows: list[Row] = []
        ends: list[int | None] = []
        fences: set[tuple[str, int]] = set()
        for append in appends:
            try:
                rows += chain(self._log_id, append, tips)
            except WrongExpectedVersion:
                ends.append(None)  # the careful way knows why: it may be in the log already
                continue
            ends.append(len(rows))
            if append.fence is not None:
                fences.add((append.fence.stream, append.fence.epoch))
        base = insert_at_once(direct, sorted(fences), before, rows) if rows else None
        if base is None:
            self._undo()
            return [None] * len(appends)
        direct.commit()
        self._remember(tips)
        return [None if end is None else base + end for end in ends]

    def _tips_for(self, direct: Direct, appends: Sequence[Append]) -> dict[str, Tip]:
        """What is known of the streams; read only where the writer claims to know a later end."""
        tips: dict[str, Tip] = {}
        unknown: list[str] = []
        for append in appends:
            for write_ in append.writes:
                tip = self._known.get(write_.stream)
                if tip is not None:
                    tips[write_.stream] = tip
                if write_.expected_version > (tip.version if tip else 0):
                    unknown.append(write_.stream)
        return tips | tips_of(direct, set(unknown)) if unknown else tips

    def _remember(self, tips: dict[str, Tip]) -> None:
        """The streams used last are kept, up to a bound."""
        for stream, tip in tips.items():
            self._known.pop(stream, None)
            self._known[stream] = tip
        while len(self._known) > KNOWN_TIPS:
            del self._known[next(iter(self._known))]

    def _commit_carefully(self, appends: Sequence[Append]) -> list[Outcome]:
        tips: dict[str, Tip] = {}
        begun = False
        try:
            with write(self._engine) as conn:
                begun = True
                outcomes: list[Outcome] = [*settle(conn, self._log_id, appends, tips)]
        except StoreUnavailable as problem:
            return self._read_back(appends, problem) if begun else _copies(problem, appends)
        except SQLAlchemyError as problem:
            if len(appends) == 1:
                return [problem]
            return [outcome for append in appends for outcome in self._commit_carefully([append])]
        self._remember(tips)
        return outcomes

    def _look(self, append: Append) -> int | None:
        with read(self._engine) as conn:
            return position_of(append, find(conn, append.event_ids))

    def _read_back(self, appends: Sequence[Append], problem: StoreUnavailable) -> list[Outcome]:
        """After a lost reply: what is in the log has succeeded, the rest is unavailable."""
        outcomes: list[Outcome] = []
        try:
            with read(self._engine) as conn:
                known = find(conn, [event_id for append in appends for event_id in append.event_ids])
        except StoreUnavailable as still:
            return _copies(still, appends)
        for append, unavailable in zip(appends, _copies(problem, appends), strict=True):
            try:
                outcomes.append(position_of(append, known) or unavailable)
            except TrackerError as refusal:
                outcomes.append(refusal)
        return outcomes


def _accepted(outcome: Outcome) -> int:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _copies(problem: StoreUnavailable, appends: Sequence[Append]) -> list[Outcome]:
    """One for each caller: an exception that several threads raise would mix their tracebacks."""
    return [StoreUnavailable(problem.target, problem.problem) for _ in appends]
