"""Follows the inspection of one session until it ends."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from shuanglu_report import metrics
from shuanglu_report.ports import InspectionFeed, ReportRows, SessionDirectory
from shuanglu_report.progress import Progress, after, from_start, reported


@dataclass(frozen=True, slots=True)
class InspectionWatcher:
    """Joins what is stored with what the bus tells."""

    rows: ReportRows
    sessions: SessionDirectory
    feed: InspectionFeed
    # Longest silence; then the stored state is looked at again, in case news were missed, and sent.
    heartbeat_s: float

    async def watch(self, tenant: str, session_id: str) -> AsyncIterator[Progress]:
        """States, the first at once, the last is over. Raises SessionNotFound, SessionsAway, BusUnavailable."""
        with metrics.WATCHERS.track_inprogress():
            # Listen first, look then: nothing falls between the two.
            async with self.feed.follow(tenant, session_id) as news:
                progress = await self._look(tenant, session_id)
                yield progress
                while not progress.over:
                    told = await news.next(self.heartbeat_s)
                    seen = after(progress, told) if told else await self._look(tenant, session_id, progress)
                    if told is None or seen != progress:
                        yield seen
                    progress = seen

    async def _look(self, tenant: str, session_id: str, before: Progress | None = None) -> Progress:
        """The state from what is stored; counts of `before` are kept."""
        row = await self.rows.newest(tenant, session_id)
        if row:
            return reported(before or Progress(), row.verdict)
        session = await self.sessions.session(session_id)
        last = await self.feed.last(tenant, session_id)
        looked = from_start(session, last)
        if before and not looked.over and before.expected > looked.expected:
            return before
        return looked
