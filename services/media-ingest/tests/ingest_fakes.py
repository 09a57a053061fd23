"""Small stand-ins that implement the ports."""

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from shuanglu_common.access import Role
from shuanglu_common.auth import CURRENT, Principal
from shuanglu_common.bus.events import NewEvent
from shuanglu_media_ingest.domain.imports import MOVES, Import, ImportState, Inspection, Person
from shuanglu_media_ingest.errors import ImportNotFound, SessionNotFound, SessionNotOpen
from shuanglu_media_ingest.sessions import Session

TENANT = "bank-a"
PEOPLE = (Person("customer", "CUSTOMER"), Person("agent", "AGENT"))
INSPECTION = Inspection(2000, ("zh",))


class FixedClock:
    def __init__(self, now_us: int = 1_700_000_000_000_000) -> None:
        self.now = now_us

    def now_us(self) -> int:
        return self.now


class MemoryImports:
    """The port Imports in a dictionary; `outbox` is what would be published."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], Import] = {}
        self.outbox: list[NewEvent] = []

    async def create(self, record: Import, event: NewEvent) -> Import:
        key = (record.tenant, record.import_id)
        if key not in self.records:
            if any(
                (other.tenant, other.session_id) == (record.tenant, record.session_id)
                and other.state != ImportState.FAILED
                for other in self.records.values()
            ):
                raise SessionNotOpen
            self.records[key] = record
            self.outbox.append(event)
        return self.records[key]

    async def get(self, tenant: str, import_id: str) -> Import:
        if (tenant, import_id) not in self.records:
            raise ImportNotFound
        return self.records[(tenant, import_id)]

    async def progress(self, record: Import, stored_bytes: int, total_bytes: int) -> bool:
        return self._move(record, ImportState.STORING, stored_bytes=stored_bytes, total_bytes=total_bytes)

    async def stored(self, record: Import, tracks: Sequence[bytes], total_bytes: int, event: NewEvent) -> bool:
        return self._move(record, ImportState.STORED, event, tracks=tuple(tracks), stored_bytes=total_bytes)

    async def failed(self, record: Import, reason: str, help_text: str, event: NewEvent) -> bool:
        return self._move(record, ImportState.FAILED, event, failure_reason=reason, failure_help=help_text)

    def _move(self, record: Import, to: ImportState, event: NewEvent | None = None, **values: Any) -> bool:
        key = (record.tenant, record.import_id)
        if to not in MOVES[self.records[key].state]:
            return False
        self.records[key] = replace(self.records[key], state=to, **values)
        if event:
            self.outbox.append(event)
        return True


class FakeSessions:
    """One session that exists."""

    def __init__(self, session_id: str = "session-1", state: str = "CREATED") -> None:
        self.session_id, self.state = session_id, state

    async def get(self, session_id: str) -> Session:
        if session_id != self.session_id:
            raise SessionNotFound
        return Session(self.state, PEOPLE, INSPECTION)


@contextmanager
def calling_as(
    tenant: str = TENANT, role: Role = Role.BANK_APP, subject: str = "app", session_id: str | None = None
) -> Any:
    """The principal of the calls inside."""
    token = CURRENT.set(Principal(tenant, subject, frozenset({role}), session_id))
    try:
        yield
    finally:
        CURRENT.reset(token)
