"""Bus in, bus out."""

from collections.abc import Sequence

from shuanglu.media.v1.media_events_pb2 import ImportRequested
from shuanglu_common.bus.events import Event, NewEvent
from shuanglu_media_ingest.importing import Importer


class ImportHandlers:
    """Handlers of media-ingest."""

    def __init__(self, importer: Importer) -> None:
        """`importer` does the work and publishes on its way."""
        self._importer = importer

    async def import_requested(self, event: Event[ImportRequested]) -> Sequence[NewEvent]:
        """Brings the import to its end. Repeats change nothing."""
        await self._importer.run(event.tenant, event.payload.import_id)
        return ()
