"""Keeps the folds of all sessions: saves before events are acknowledged, judges what is complete or overdue.

Any number of processes may do this at once. A fold is saved by compare-and-set: who lost the race forgets what it had
in memory, reads what the other one saved, and folds its events in again. So no event is lost and the verdict is the
same.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import structlog
from google.protobuf.message import Message

from shuanglu.quality.v1.quality_events_pb2 import InspectionProgressed, VerdictReached
from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_common.clock import Clock
from shuanglu_common.errors import ShuangluError
from shuanglu_quality.errors import FoldConflict
from shuanglu_quality.fold import SessionFold
from shuanglu_quality.metrics import (
    CONFLICTS,
    EVENTS,
    LATE,
    OPEN_FOLDS,
    OVERDUE,
    STUCK,
    WAITING,
    tell_finding_delay,
)

log = structlog.get_logger()

Session = tuple[str, str]
ATTEMPTS = 8
PROGRESS_EVERY_US = 1_000_000
REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Stored:
    """A fold as stored, and the revision to compare with when it is saved."""

    fold: SessionFold
    revision: int


class FoldStore(Protocol):
    """Folds by session. All methods raise FoldsUnavailable when the store is away."""

    async def load(self, tenant: str, session_id: str) -> Stored | None:
        """None if the session is not known. Raises SnapshotDamaged."""

    async def save(self, fold: SessionFold, revision: int) -> int:
        """Saves over `revision` (0: must not exist yet) and returns the new one. Raises FoldConflict."""

    async def sessions(self) -> list[Session]:
        """Sessions that were not closed: what this costs does not grow with history."""

    async def close(self, tenant: str, session_id: str) -> None:
        """The verdict is announced: the session is not looked at any more, its fold stays."""


class Backlog(Protocol):
    """How far the folding of all partitions has come. All methods raise FoldsUnavailable."""

    async def last(self) -> int:
        """Position of the newest event that could be folded."""

    async def folded(self) -> int:
        """Position up to which every event is folded."""


class Workers(Protocol):
    """Those whose observations a session waits for. Raises FoldsUnavailable."""

    async def look(self) -> None:
        """Note how far each has come; to be called now and then."""

    async def may_still_come(self, session: Session) -> bool:
        """Whether a worker that gets on with its work has not come to the session's last message yet."""


class Verdicts(Protocol):
    """Who judges; see judge.Judge."""

    async def judge(self, fold: SessionFold) -> VerdictReached:
        """The verdict, stored."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for observations after the recording is completed: `base_s` + `factor` times its length."""

    base_s: float
    factor: float

    def deadline_us(self, fold: SessionFold) -> int | None:
        """None while the recording is not completed."""
        if fold.completed is None:
            return None
        return fold.completed_at_us + round((self.base_s + self.factor * fold.completed.duration_ms / 1000) * 1e6)


class Folds:
    """Folds in memory, on top of their store. At most `room` stay in memory."""

    def __init__(
        self,
        store: FoldStore,
        backlog: Backlog,
        workers: Workers,
        judge: Verdicts,
        publish: Callable[[NewEvent], Awaitable[None]],
        clock: Clock,
        patience: Patience,
        room: int = 256,
    ) -> None:
        """`publish` must be done only when the bus has confirmed. `clock` must not jump: see SteadyClock."""
        self._store = store
        self._backlog = backlog
        self._workers = workers
        self._judge = judge
        self._publish = publish
        self._clock = clock
        self._patience = patience
        self._room = room
        self._open: OrderedDict[Session, Stored] = OrderedDict()
        self._deadlines: dict[Session, int] = {}
        self._overdue_at: dict[Session, int] = {}
        self._seen_us: dict[Session, int] = {}
        self._closed: OrderedDict[Session, None] = OrderedDict()
        self._locks: dict[Session, asyncio.Lock] = {}
        self._progress: dict[Session, tuple[int, tuple[int, int, bool]]] = {}

    async def take(self, events: Sequence[Event[Message]]) -> list[NewEvent]:
        """Folds events of any sessions in and saves; what is complete is judged. Returns progress to publish."""
        by_session: dict[Session, list[Event[Message]]] = {}
        for event in events:
            by_session.setdefault((event.tenant, event.session_id), []).append(event)
        news: list[NewEvent] = []
        for session, of_session in by_session.items():
            with structlog.contextvars.bound_contextvars(tenant=session[0], session_id=session[1]):
                news.extend(await self._exclusive(session, partial(self._fold, session, of_session)))
        return news

    async def look_for_overdue(self) -> None:
        """Judges sessions whose deadline has passed, and announces verdicts that a crash kept from the bus."""
        await self._workers.look()
        for session in await self._store.sessions():
            if session in self._closed or self._deadlines.get(session, 0) > self._clock.now_us():
                continue
            with structlog.contextvars.bound_contextvars(tenant=session[0], session_id=session[1]):
                try:
                    await self._exclusive(session, partial(self._overdue, session))
                except Exception as error:  # noqa: BLE001 - one session must not keep the others from their verdicts
                    self._stuck(error)

    async def _exclusive(self, session: Session, work: Callable[[], Awaitable[list[NewEvent]]]) -> list[NewEvent]:
        lock = self._locks.setdefault(session, asyncio.Lock())
        try:
            async with lock:
                for attempt in range(ATTEMPTS):
                    try:
                        return await work()
                    except FoldConflict:
                        CONFLICTS.inc()
                        self._forget(session)
                        await asyncio.sleep(0.01 * attempt)
                raise FoldConflict("another owner keeps changing the fold")
        finally:
            if not lock.locked() and session not in self._open:
                self._locks.pop(session, None)

    async def _fold(self, session: Session, events: Sequence[Event[Message]]) -> list[NewEvent]:
        stored = None if session in self._closed else await self._load(session)
        if stored is None or stored.fold.verdict is not None:
            await self._late(session, stored, len(events))
            return []
        fold = stored.fold
        new = sum(fold.add(event) for event in events)
        if new:
            stored = await self._save(session, stored)
            EVENTS.inc(new)
        if fold.complete:
            await self._decide_or_wait(session, stored)
        return self._told(session, fold)

    async def _late(self, session: Session, stored: Stored | None, count: int) -> None:
        if stored is not None:
            await self._announce(session, stored)
        LATE.inc(count)
        log.warning("fold.late", events=count)

    async def _overdue(self, session: Session) -> list[NewEvent]:
        stored = await self._load(session)
        fold = stored.fold
        if fold.verdict is not None:
            await self._announce(session, stored)
            return []
        if fold.complete:
            await self._decide(session, stored)
            return []
        now = self._clock.now_us()
        deadline = self._deadline_us(session, fold, now)
        self._deadlines[session] = deadline or now + round(self._patience.base_s * 1e6)
        if deadline is not None and deadline <= now:
            if fold.created is None:
                log.error("fold.without_session")
                STUCK.inc()
                return []
            if await self._workers.may_still_come(session):
                self._overdue_at.pop(session, None)
                WAITING.inc()
                return []
            if await self._behind(session):
                return []
            OVERDUE.inc()
            log.warning("fold.overdue", missing=len(fold.ledger.expected()) - fold.ledger.observed)
            await self._decide(session, stored)
        return []

    def _deadline_us(self, session: Session, fold: SessionFold, now: int) -> int | None:
        """The session's deadline; from when we first saw it completed, should the clock that stamped it run ahead."""
        deadline = self._patience.deadline_us(fold)
        if deadline is None:
            return None
        seen_us = self._seen_us.setdefault(session, now)
        return min(deadline, seen_us + deadline - fold.completed_at_us)

    async def _behind(self, session: Session) -> bool:
        """Whether events wait that came before the session was overdue: after an outage of ours nobody is to blame.

        Always so at the first look: what a worker has just published may be on its way into our stream.
        """
        if session not in self._overdue_at:
            self._overdue_at[session] = await self._backlog.last()
            return True
        return await self._backlog.folded() < self._overdue_at[session]

    async def _decide_or_wait(self, session: Session, stored: Stored) -> None:
        """Judges now; if that fails the fold is safe, and the look for overdue sessions tries again."""
        try:
            await self._decide(session, stored)
        except FoldConflict:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the event that completed the fold is not to blame
            self._stuck(error)

    async def _decide(self, session: Session, stored: Stored) -> None:
        """Judges, saves the verdict (who loses the race saves nothing), publishes it, notes that it is published."""
        fold = stored.fold
        verdict = await self._judge.judge(fold)
        fold.decide(verdict)
        await self._announce(session, await self._save(session, stored))
        log.info("verdict.reached", verdict=verdict.verdict)

    def _stuck(self, error: Exception) -> None:
        STUCK.inc()
        reason = error.reason if isinstance(error, ShuangluError) else type(error).__name__
        log.error("fold.stuck", reason=reason, error=error)

    async def _announce(self, session: Session, stored: Stored) -> None:
        fold = stored.fold
        if fold.verdict is None:
            return
        if not fold.announced:
            await self._publish(NewEvent(session[0], session[1], fold.verdict, key="preliminary"))
            tell_finding_delay(fold.last_observation_at_us, self._clock.now_us())
            fold.announced = True
            await self._save(session, stored)
        await self._store.close(*session)
        self._forget(session)
        self._closed[session] = None
        while len(self._closed) > REMEMBERED:
            self._closed.popitem(last=False)

    async def _load(self, session: Session) -> Stored:
        if session in self._open:
            self._open.move_to_end(session)
            return self._open[session]
        stored = await self._store.load(*session) or Stored(SessionFold(*session), 0)
        self._remember(session, stored)
        return stored

    async def _save(self, session: Session, stored: Stored) -> Stored:
        try:
            revision = await self._store.save(stored.fold, stored.revision)
        except BaseException:
            # Memory is ahead of the store: what was not saved comes again with its events.
            self._forget(session)
            raise
        saved = Stored(stored.fold, revision)
        self._remember(session, saved)
        deadline = self._deadline_us(session, saved.fold, self._clock.now_us())
        if deadline is None or saved.fold.complete or saved.fold.verdict is not None:
            self._deadlines.pop(session, None)  # looked at in the next round
        else:
            self._deadlines[session] = deadline
        return saved

    def _remember(self, session: Session, stored: Stored) -> None:
        self._open[session] = stored
        self._open.move_to_end(session)
        while len(self._open) > self._room:
            self._open.popitem(last=False)
        OPEN_FOLDS.set(len(self._open))

    def _forget(self, session: Session) -> None:
        self._open.pop(session, None)
        self._deadlines.pop(session, None)
        self._overdue_at.pop(session, None)
        self._seen_us.pop(session, None)
        self._progress.pop(session, None)
        OPEN_FOLDS.set(len(self._open))

    def _told(self, session: Session, fold: SessionFold) -> list[NewEvent]:
        """How far the inspection is: at most once a second, and never the same twice."""
        ledger = fold.ledger
        state = (ledger.observed, len(ledger.expected()), fold.completed is not None)
        told_at, told = self._progress.get(session, (0, (0, 0, False)))
        now = self._clock.now_us()
        if fold.verdict is not None or state == told or now - told_at < PROGRESS_EVERY_US:
            return []
        self._progress[session] = (now, state)
        observed, expected, completed = state
        payload = InspectionProgressed(observed=observed, expected=expected, recording_completed=completed)
        return [NewEvent(session[0], session[1], payload, key=f"progress/{observed}/{expected}/{completed}")]
