"""How a group of appends gets committed: the fast way first, then the careful way for what it left.

An append that is refused does not fail its neighbours. Where the database is lost around a COMMIT nobody
knows what it did: the events are looked for by their ids before anything is said.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from tracker.errors import StoreUnavailable, TrackerError, WrongExpectedVersion
from tracker.store.appends import Append, Row, Tip, chain
from tracker.store.commit import find, insert_at_once, position_of, read_tips, settle
from tracker.store.engine import connect, is_postgresql, read, write

logger = logging.getLogger(__name__)

Outcome = int | Exception

KNOWN_TIPS = 20_000


class Committer:
    """Used by one thread at a time, but for `commit_within`."""

    def __init__(self, engine: Engine, log_id: str) -> None:
        self._engine = engine
        self._log_id = log_id
        self._known: dict[str, Tip] = {}
        self._kept: Connection | None = None

    def commit(self, appends: Sequence[Append]) -> list[Outcome]:
        """The position of each append's last event, or what refused it."""
        done = self._commit_at_once(appends)
        left = [index for index in range(len(appends)) if index not in done]
        if left:
            done |= zip(left, self._commit_carefully([appends[index] for index in left]), strict=True)
        return [done[index] for index in range(len(appends))]

    def commit_within(self, append: Append, within: Callable[[Connection], None]) -> int:
        """`within` and the append in one transaction; what was appended before is not done again."""
        begun = False
        try:
            with write(self._engine) as conn:
                begun = True
                outcome: Outcome | None = position_of(append, find(conn, append.event_ids))
                if outcome is None:
                    within(conn)
                    outcome = _accepted(settle(conn, self._log_id, [append], {})[0])
        except StoreUnavailable as problem:
            if not begun:
                raise
            outcome = self._read_back([append], problem)[0]
        return _accepted(outcome)

    def close(self) -> None:
        """Let go of the connection that is kept between commits."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _commit_at_once(self, appends: Sequence[Append]) -> dict[int, Outcome]:
        """All that can go the fast way. Empty where it did not work out, whatever the reason."""
        begun = False
        try:
            kept = self._keep_connection()
            tips: dict[str, Tip] = {}
            with kept.begin():
                begun = True
                done = self._try_at_once(kept, appends, tips)
        except IntegrityError:
            return {}
        except StoreUnavailable as problem:
            self.close()
            if not begun:
                return dict(enumerate(_copies(problem, appends)))
            logger.warning("looking again: %s", problem)
            return {}
        if done:
            self._remember(tips)
        return done

    def _keep_connection(self) -> Connection:
        """On PostgreSQL without BEGIN and COMMIT: its fast way is one statement."""
        if self._kept is None:
            autocommit = {"isolation_level": "AUTOCOMMIT"} if is_postgresql(self._engine) else {}
            self._kept = connect(self._engine).execution_options(runledger_write=True, **autocommit)
        return self._kept

    def _try_at_once(
        self, conn: Connection, appends: Sequence[Append], tips: dict[str, Tip]
    ) -> dict[int, Outcome]:
        tips |= self._tips_for(conn, appends)
        rows: list[Row] = []
        ends: dict[int, int] = {}
        for index, append in enumerate(appends):
            try:
                rows += chain(self._log_id, append, tips)
            except WrongExpectedVersion:
                continue  # the careful way knows why: it may be in the log already
            ends[index] = len(rows)
        base = insert_at_once(conn, [appends[index] for index in ends], rows) if rows else None
        if base is None:
            return {}
        return {index: base + end for index, end in ends.items()}

    def _tips_for(self, conn: Connection, appends: Sequence[Append]) -> dict[str, Tip]:
        """What is known of the streams; read only where the writer claims to know a later end."""
        tips: dict[str, Tip] = {}
        unknown: set[str] = set()
        for write_ in (each for append in appends for each in append.writes):
            tip = self._known.get(write_.stream)
            if tip is not None:
                tips[write_.stream] = tip
            if write_.expected_version > (tip.version if tip else 0):
                unknown.add(write_.stream)
        return tips | read_tips(conn, unknown) if unknown else tips

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
