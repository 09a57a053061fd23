"""Bus in: tracks are kept for the proof, a verdict becomes a report. The event of a report goes out by the outbox."""

from collections.abc import Callable, Sequence

from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.quality.v1.quality_events_pb2 import VerdictReached
from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_common.tenant_label import TenantLabel
from shuanglu_report import metrics
from shuanglu_report.maker import ReportMaker
from shuanglu_report.ports import ReportRows


class Handlers:
    """Handlers of the subscriptions `report-tracks` and `report-build`."""

    def __init__(
        self, rows: ReportRows, maker: ReportMaker, now_us: Callable[[], int], tenants: TenantLabel | None = None
    ) -> None:
        """`now_us` tells the time. `tenants`: as the metrics name them."""
        self._rows = rows
        self._maker = maker
        self._now_us = now_us
        self._tenants = tenants or TenantLabel()
        metrics.show_tenants(self._tenants)

    async def on_track_stored(self, event: Event[TrackStored]) -> Sequence[NewEvent]:
        """Keep the track's hashes."""
        await self._rows.save_track(event.tenant, event.session_id, event.payload, event.occurred_at_us)
        return ()

    async def on_verdict_reached(self, event: Event[VerdictReached]) -> Sequence[NewEvent]:
        """Make the report."""
        made = await self._maker.make(event.tenant, event.session_id, event.payload, event.occurred_at_us)
        if made and event.payload.last_observation_at_us:
            delay_us = self._now_us() - event.payload.last_observation_at_us
            metrics.DELAY_SECONDS.labels(self._tenants(event.tenant)).observe(max(delay_us, 0) / 1_000_000)
        return ()
