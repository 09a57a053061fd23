"""What the work on imports needs from outside, beside the queue."""

from collections.abc import Sequence
from typing import Protocol

from shuanglu_common.bus.events import NewEvent
from shuanglu_media_ingest.domain.imports import Import


class Imports(Protocol):
    """Where a worker writes how its import stands.

    A state and the event that tells of it are written together or not at all. All answer False, and change nothing, if
    the import has ended or another worker has it.
    """

    async def progress(self, record: Import, stored_bytes: int, total_bytes: int) -> bool:
        """STORING, so far."""
        ...

    async def stored(self, record: Import, tracks: Sequence[bytes], total_bytes: int, event: NewEvent) -> bool:
        """STORED, with its tracks."""
        ...

    async def failed(self, record: Import, reason: str, help_text: str, event: NewEvent) -> bool:
        """FAILED."""
        ...

    async def cancelled(self, record: Import, event: NewEvent) -> bool:
        """CANCELLED."""
        ...


class ImportDesk(Protocol):
    """Where the door keeps imports. Each change and the event that tells of it are written together or not at all."""

    async def create(self, record: Import, event: NewEvent) -> Import:
        """Keep a new import; or return the one with its id, or the live one with its content.

        Raises SessionNotOpen if another one fills the session.
        """
        ...

    async def get(self, tenant: str, import_id: str) -> Import:
        """Raises ImportNotFound, also for another tenant's."""
        ...

    async def of_content(self, tenant: str, content_key: str) -> Import | None:
        """The live import of this recording: neither failed nor cancelled. None for an empty key."""
        ...

    async def position(self, record: Import) -> int:
        """How many of the tenant's were accepted before it and wait, plus one, 1000 at most; 0 if it does not wait."""
        ...

    async def cancelled(self, record: Import, event: NewEvent) -> bool:
        """CANCELLED, if it stands as the record says."""
        ...

    async def request_cancel(self, record: Import) -> Import:
        """Have its worker, or the next one, cancel it; returns how it stands."""
        ...

    async def retry(self, record: Import, event: NewEvent) -> bool:
        """ACCEPTED again, if it stands FAILED or CANCELLED as the record says.

        Raises SessionNotOpen if another import has its session or its recording.
        """
        ...


class Pressure(Protocol):
    """How far behind the workers are."""

    async def admits(self) -> bool:
        """Whether another import may be begun."""
        ...

    async def wait(self) -> None:
        """Returns when another segment may be told."""
        ...
