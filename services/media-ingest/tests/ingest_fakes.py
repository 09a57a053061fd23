"""Small stand-ins that implement the ports."""

from collections import Counter
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from shuanglu_common.access import Role
from shuanglu_common.auth import CURRENT, Principal
from shuanglu_common.bus.events import NewEvent
from shuanglu_media_ingest.domain.batches import MAX_BATCH, Batch, BatchPlace, Item
from shuanglu_media_ingest.domain.imports import ENDED, MOVES, RETRYABLE, Import, ImportState, Inspection, Person
from shuanglu_media_ingest.errors import BatchFull, BatchNotFound, ImportNotFound, SessionNotFound, SessionNotOpen
from shuanglu_media_ingest.importing.sessions import Session

TENANT = "bank-a"
PEOPLE = (Person("customer", "CUSTOMER"), Person("agent", "AGENT"))
INSPECTION = Inspection(2000, ("zh",))


class FixedClock:
    def __init__(self, now_us: int = 1_700_000_000_000_000) -> None:
        self.now = now_us

    def now_us(self) -> int:
        return self.now


class MemoryImports:
    """The ports Imports, ImportDesk and States in a dictionary; `outbox` is what would be published."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], Import] = {}
        self.outbox: list[NewEvent] = []
        self.to_cancel: set[tuple[str, str]] = set()

    async def create(self, record: Import, event: NewEvent) -> Import:
        key = (record.tenant, record.import_id)
        if key not in self.records:
            same = await self.of_content(record.tenant, record.content_key)
            if same is not None:
                return same
            self._require_free(record)
            self.records[key] = record
            self.outbox.append(event)
        return self.records[key]

    async def get(self, tenant: str, import_id: str) -> Import:
        if (tenant, import_id) not in self.records:
            raise ImportNotFound
        return self.records[(tenant, import_id)]

    async def of_content(self, tenant: str, content_key: str) -> Import | None:
        live = (record for record in self.records.values() if record.state not in RETRYABLE)
        found = (
            record for record in live if content_key and (record.tenant, record.content_key) == (tenant, content_key)
        )
        return next(found, None)

    async def states(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], ImportState]:
        return {key: self.records[key].state for key in keys if key in self.records}

    async def position(self, record: Import) -> int:
        if record.state is not ImportState.ACCEPTED:
            return 0
        waiting = (other for other in self.records.values() if other.state is ImportState.ACCEPTED)
        own = [other for other in waiting if other.tenant == record.tenant]
        return 1 + sum(other.created_at_us < record.created_at_us for other in own)

    async def progress(self, record: Import, stored_bytes: int, total_bytes: int) -> bool:
        return self._move(record, ImportState.STORING, stored_bytes=stored_bytes, total_bytes=total_bytes)

    async def stored(self, record: Import, tracks: Sequence[bytes], total_bytes: int, event: NewEvent) -> bool:
        return self._move(record, ImportState.STORED, event, tracks=tuple(tracks), stored_bytes=total_bytes)

    async def failed(self, record: Import, reason: str, help_text: str, event: NewEvent) -> bool:
        return self._move(record, ImportState.FAILED, event, failure_reason=reason, failure_help=help_text)

    async def cancelled(self, record: Import, event: NewEvent) -> bool:
        return self._move(record, ImportState.CANCELLED, event, stored_bytes=0)

    async def request_cancel(self, record: Import) -> Import:
        self.to_cancel.add((record.tenant, record.import_id))
        return await self.get(record.tenant, record.import_id)

    async def retry(self, record: Import, event: NewEvent) -> bool:
        self._require_free(record)
        fresh = {"failure_reason": "", "failure_help": "", "attempts": 0, "outages": 0, "waiting_for": ""}
        return self._move(record, ImportState.ACCEPTED, event, tries=record.tries + 1, **fresh)

    def _require_free(self, record: Import) -> None:
        for other in self.records.values():
            same = (other.tenant, other.session_id) == (record.tenant, record.session_id)
            if same and other.import_id != record.import_id and other.state not in RETRYABLE:
                raise SessionNotOpen

    def _move(self, record: Import, to: ImportState, event: NewEvent | None = None, **values: Any) -> bool:
        key = (record.tenant, record.import_id)
        now = self.records[key]
        fresh = (now.lease, now.tries, now.attempts) == (record.lease, record.tries, record.attempts)
        sources = RETRYABLE if to is ImportState.ACCEPTED else {state for state in MOVES if to in MOVES[state]}
        if now.state not in sources or not fresh:
            return False
        lease = now.lease if to is ImportState.STORING else ""
        self.records[key] = replace(now, state=to, lease=lease, **values)
        if event:
            self.outbox.append(event)
        return True


class MemoryBatches:
    """The port Batches over MemoryImports."""

    def __init__(self, imports: MemoryImports) -> None:
        self.imports = imports
        self.batches: dict[tuple[str, str], list[str]] = {}

    async def open(self, tenant: str, batch_id: str, more: int) -> None:
        if len(self.batches.get((tenant, batch_id), ())) + more > MAX_BATCH:
            raise BatchFull
        self.batches.setdefault((tenant, batch_id), [])

    async def add(self, tenant: str, batch_id: str, import_ids: Sequence[str]) -> None:
        ids = self.batches[(tenant, batch_id)]
        ids += [import_id for import_id in dict.fromkeys(import_ids) if import_id not in ids]

    async def get(self, tenant: str, batch_id: str) -> Batch:
        if (tenant, batch_id) not in self.batches:
            raise BatchNotFound
        own = [self.imports.records[(tenant, import_id)] for import_id in self.batches[(tenant, batch_id)]]
        counts = Counter(record.state for record in own)
        stored = [record for record in own if record.state is ImportState.STORED]
        total, done = (sum(record.upload_bytes for record in some) for some in (own, stored))
        return Batch(batch_id, 1, {state: counts[state] for state in ImportState if counts[state]}, total, done)

    async def page(self, tenant: str, after: BatchPlace | None, size: int) -> Sequence[Batch]:
        ids = sorted((batch_id for owner, batch_id in self.batches if owner == tenant), reverse=True)
        behind = [batch_id for batch_id in ids if after is None or batch_id < after.batch_id]
        return [await self.get(tenant, batch_id) for batch_id in behind[:size]]

    async def items(
        self, tenant: str, batch_id: str, after: int, size: int, states: Sequence[ImportState] = ()
    ) -> Sequence[Item]:
        ids = enumerate(self.batches.get((tenant, batch_id), ()), start=1)
        found = [Item(position, self.imports.records[(tenant, import_id)]) for position, import_id in ids]
        wanted = [item for item in found if item.position > after and (not states or item.record.state in states)]
        return wanted[:size]

    async def made_here(self, tenant: str, batch_id: str, *, ended: bool) -> Sequence[Import]:
        states = RETRYABLE if ended else frozenset(ImportState) - ENDED
        own = (self.imports.records[(tenant, import_id)] for import_id in self.batches[(tenant, batch_id)])
        return [record for record in own if record.batch_id == batch_id and record.state in states]


class FakeSessions:
    """One session that exists."""

    def __init__(self, session_id: str = "session-1", state: str = "CREATED") -> None:
        self.session_id, self.state = session_id, state

    async def get(self, session_id: str) -> Session:
        if session_id != self.session_id:
            raise SessionNotFound
        return Session("order-1", self.state, PEOPLE, INSPECTION)


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
