"""One tailer of the log for all who watch: each event is read once, encoded once, and sent to every viewer.

The hub keeps the latest events in memory. A viewer is only a position: what it has not seen yet it takes
from there at its own pace, at most five times a second, and from the log where it has fallen behind
further (or comes back with a `Last-Event-ID`). So a slow viewer costs no memory, nobody misses an event,
and watching holds no database connection. The tailer runs while somebody watches.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Collection

from litestar.concurrency import sync_to_thread

from runledger.api import prometheus
from runledger.api.reading.events import encode_fact
from runledger.tracker.envelope import Recorded
from runledger.tracker.errors import TrackerError
from runledger.tracker.ids import id_of, kind_of, telemetry_ids
from runledger.tracker.store.log import Log

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 0.2
KEEP_ALIVE_SECONDS = 15.0
KEPT_EVENTS = 5_000
KEPT_BYTES = 32 * 1024 * 1024
PAGE = 1_000
CATCH_UP_PAGE = 250
"""A viewer's share of the memory while it reads on from the log."""
KEEP_ALIVE = b": alive\n\n"


class Filter:
    """Which events a viewer wants: kinds of streams, and perhaps of one run only."""

    def __init__(self, kinds: Collection[str], run_id: str | None) -> None:
        self.kinds = frozenset(kinds)
        self.run_id = run_id

    def wants(self, recorded: Recorded) -> bool:
        kind = kind_of(recorded.stream)
        if kind not in self.kinds:
            return False
        return self.run_id is None or run_of(recorded.stream) == self.run_id


def run_of(stream: str) -> str | None:
    """The run that a stream belongs to by its name."""
    kind = kind_of(stream)
    if kind == "telemetry":
        return telemetry_ids(stream)[0]
    return id_of(stream) if kind == "run" else None


class Frame:
    """An event and, from the first viewer who wants it on, its bytes."""

    __slots__ = ("_encoded", "recorded")

    def __init__(self, recorded: Recorded) -> None:
        self.recorded = recorded
        self._encoded: bytes | None = None

    @property
    def encoded(self) -> bytes:
        if self._encoded is None:
            self._encoded = frame(self.recorded)
        return self._encoded


def frame(recorded: Recorded) -> bytes:
    """One server-sent event; its id is the position."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (
        recorded.position,
        recorded.type.encode(),
        encode_fact(recorded),
    )


class Hub:
    """Shared by all viewers of this process. Used from its event loop only."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._start = 0
        """Every event after this position, up to `_scanned`, is in `_frames`."""
        self._scanned = 0
        self._viewers = 0
        self.tailer: asyncio.Task[None] | None = None
        self._tick = asyncio.Event()
        self._closed = False
        self._catching_up = asyncio.Semaphore(4)

    async def watch(self, wanted: Filter, after: int | None) -> AsyncIterator[bytes]:
        """Chunks of whole events after the position `after` (None: from now on), until the hub closes."""
        async with self._watching():
            position = self._scanned if after is None else min(after, self._scanned)
            yield b"retry: 1000\n: at %d\n\n" % position
            waited = 0.0
            while not self._closed:
                chunk, position = await self._next(wanted, position)
                if chunk:
                    waited = 0.0
                    yield chunk
                elif waited >= KEEP_ALIVE_SECONDS:
                    waited = 0.0
                    yield KEEP_ALIVE
                if position >= self._scanned:
                    waited += INTERVAL_SECONDS
                    await self._tick.wait()

    def close(self) -> None:
        """Let every viewer go; their streams end."""
        self._closed = True
        self._wake()
        if self.tailer is not None:
            self.tailer.cancel()

    @contextlib.asynccontextmanager
    async def _watching(self) -> AsyncIterator[None]:
        self._viewers += 1
        prometheus.VIEWERS.inc()
        try:
            await self._start_tailing()
            yield
        finally:
            self._viewers -= 1
            prometheus.VIEWERS.dec()

    async def _start_tailing(self) -> None:
        if self.tailer is None or self.tailer.done():
            head = await sync_to_thread(self._log.head)
            if self.tailer is None or self.tailer.done():
                self._forget_all(head)
                self.tailer = asyncio.create_task(self._tail())

    async def _tail(self) -> None:
        """Read on while somebody watches; an outage of the database is waited out."""
        while self._viewers and not self._closed:
            try:
                full = await self._read_on()
            except TrackerError as error:
                logger.warning("the tailer waits: %s", error)
                full = False
            self._wake()
            if not full:
                await asyncio.sleep(INTERVAL_SECONDS)

    async def _read_on(self) -> bool:
        page = await sync_to_thread(self._log.tail, self._scanned, limit=PAGE)
        for recorded in page.events:
            self._frames.append(Frame(recorded))
            self._bytes += len(recorded.payload)
        self._scanned = page.scanned
        while self._frames and (len(self._frames) > KEPT_EVENTS or self._bytes > KEPT_BYTES):
            oldest = self._frames.popleft().recorded
            self._start = oldest.position
            self._bytes -= len(oldest.payload)
        return len(page.events) == PAGE

    async def _next(self, wanted: Filter, position: int) -> tuple[bytes, int]:
        """What comes after `position`, in one write, and how far that goes."""
        if position < self._start:
            return await self._from_log(wanted, position)
        frames = [kept for kept in _after(self._frames, position) if wanted.wants(kept.recorded)]
        prometheus.SENT_EVENTS.inc(len(frames))
        return b"".join(kept.encoded for kept in frames), self._scanned

    async def _from_log(self, wanted: Filter, position: int) -> tuple[bytes, int]:
        async with self._catching_up:
            return await sync_to_thread(self._read_frames, wanted, position)

    def _read_frames(self, wanted: Filter, position: int) -> tuple[bytes, int]:
        """In a thread: to encode a page of telemetry takes long enough to hold up everybody."""
        page = self._log.tail(position, limit=CATCH_UP_PAGE, kinds=wanted.kinds)
        frames = [frame(recorded) for recorded in page.events if wanted.wants(recorded)]
        prometheus.SENT_EVENTS.inc(len(frames))
        return b"".join(frames), page.scanned

    def _forget_all(self, head: int) -> None:
        self._frames.clear()
        self._bytes = 0
        self._start = self._scanned = head

    def _wake(self) -> None:
        self._tick.set()
        self._tick = asyncio.Event()


def _after(frames: deque[Frame], position: int) -> list[Frame]:
    """The newest frames, from the back, so that a viewer that is up to date costs what is new."""
    newer: list[Frame] = []
    for kept in reversed(frames):
        if kept.recorded.position <= position:
            break
        newer.append(kept)
    newer.reverse()
    return newer
