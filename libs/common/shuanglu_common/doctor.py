"""What every service's examination of itself has in common: its outbox, its migrations, its objects.

Contract: protos/shuanglu/ops/v1/doctor_service.proto.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, TypeVar

from google.protobuf.message import DecodeError
from sqlalchemy import ColumnElement, Table, column, func, select, table, union
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.sql.elements import KeyedColumnElement

from shuanglu.bus.v1.envelope_pb2 import Envelope
from shuanglu.common.v1.types_pb2 import ObjectRef
from shuanglu.ops.v1 import doctor_service_pb2 as pb
from shuanglu_common.ailments import Ailment, Code, Severity
from shuanglu_common.bus.bus import Bus, BusUnavailable
from shuanglu_common.bus.subjects import SESSION_ID
from shuanglu_common.clock import Clock
from shuanglu_common.database import Database
from shuanglu_common.errors import InvalidInput
from shuanglu_common.sealing import SealBroken
from shuanglu_common.store import ObjectMissing, ObjectStore, SealedStore

US = 1_000_000
OUTBOX_AGE_S = 60
OUTBOX_NAMED = 20
SESSIONS_A_PAGE = 200
MAX_SUBJECTS = 1000
AHEAD = 8
T = TypeVar("T")
SEVERITIES = {Severity.ERROR: pb.SEVERITY_ERROR, Severity.WARNING: pb.SEVERITY_WARNING}


class RemedyUnknown(InvalidInput):
    """The service has no such remedy, or its subjects are too many or no names."""

    reason = "REMEDY_UNKNOWN"
    help = f"Ask for a remedy that the contract names for this call, with at most {MAX_SUBJECTS} subjects."


class ExaminationInvalid(InvalidInput):
    """The request names what cannot be a session."""

    reason = "EXAMINATION_INVALID"
    help = "Give the id of a session, 1 to 64 of A-Z a-z 0-9 -, or none for all."


def checked(examination: pb.Examination) -> pb.Examination:
    """The examination as it may be used in queries and subjects. Raises ExaminationInvalid."""
    if examination.session_id and not SESSION_ID.fullmatch(examination.session_id):
        raise ExaminationInvalid
    return examination


def ailment_message(ailment: Ailment) -> pb.Ailment:
    """For the wire."""
    return pb.Ailment(
        code=ailment.code,
        severity=SEVERITIES[ailment.severity],
        session_id=ailment.session_id,
        subject=ailment.subject,
        detail=ailment.detail,
        help=ailment.help,
    )


def named(refs: Iterable[ObjectRef]) -> list[pb.NamedObject]:
    """Objects that somebody rests on."""
    return [pb.NamedObject(key=ref.key, size_bytes=ref.size_bytes) for ref in refs]


def in_key_order(session_id: ColumnElement[str]) -> ColumnElement[str]:
    """Sorts sessions as the store sorts their objects' keys, whatever collation the database has."""
    return (session_id + "/").collate("C")


async def session_pages(
    database: Database, columns: Sequence[KeyedColumnElement[str]], tenant: str, session_id: str = ""
) -> AsyncIterator[list[str]]:
    """Sessions that stand in any of the `session_id` columns, a page at a time; `session_id` asks for that one alone.

    Each table has a column `tenant`. Keyset pages: memory stays flat however long the history is.
    """
    if session_id:
        yield [session_id]
        return
    after = ""
    while True:
        parts = []
        for each in columns:
            owner: ColumnElement[str] = each.table.c.tenant
            part = select(each.label("session_id")).where(owner == tenant)
            if after:
                part = part.where(in_key_order(each) > after + "/")
            parts.append(part.distinct())
        found = union(*parts).subquery()
        statement = select(found.c.session_id).order_by(in_key_order(found.c.session_id)).limit(SESSIONS_A_PAGE)
        async with database.transaction() as connection:
            page = list((await connection.execute(statement)).scalars())
        if not page:
            return
        yield page
        after = page[-1]


async def ahead(work: Iterable[Coroutine[Any, Any, T]]) -> AsyncIterator[T]:
    """Results in the order of the work, of which a few run ahead: a distant store answers many at once."""
    running: deque[asyncio.Task[T]] = deque()
    try:
        for each in work:
            running.append(asyncio.create_task(each))
            if len(running) == AHEAD:
                yield await running.popleft()
        while running:
            yield await running.popleft()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class DatabaseDoctor:
    """Examines what every schema has, and relays its outbox."""

    database: Database
    package: str
    bus: Bus
    clock: Clock

    async def examine(self, tenant: str, *, at_rest: bool) -> list[Ailment]:
        """Outbox and migrations. Of other tenants' events only their number is told."""
        return [*await self.migrations(), *await self.outbox(tenant, at_rest=at_rest)]

    async def migrations(self) -> list[Ailment]:
        """The schema's version against the newest migration of the package, `<revision>_<what>.py`."""
        folder = resources.files(self.package) / "migrations" / "versions"
        newest = max(file.name.partition("_")[0] for file in folder.iterdir() if file.name[:1].isdigit())
        versions = table("alembic_version", column("version_num"), schema=self.database.schema)
        try:
            async with self.database.transaction() as connection:
                have = (await connection.execute(select(versions.c.version_num))).scalar()
        except ProgrammingError:
            have = None
        if have == newest:
            return []
        detail = f"schema {self.database.schema} is at {have or 'nothing'}, the service wants {newest}"
        return [Ailment(Code.MIGRATIONS_BEHIND, subject=self.database.schema, detail=detail)]

    async def outbox(self, tenant: str, *, at_rest: bool) -> list[Ailment]:
        """Events that have waited longer than a minute."""
        rows = self.database.outbox.table
        oldest = select(rows).order_by(rows.c.id).limit(OUTBOX_NAMED)
        async with self.database.transaction() as connection:
            waiting = (await connection.execute(select(func.count()).select_from(rows))).scalar_one()
            found = (await connection.execute(oldest)).all()
        age_us = 0 if at_rest else OUTBOX_AGE_S * US
        late = [row for row in found if _told_at_us(row.message) <= self.clock.now_us() - age_us]
        if not late:
            return []
        subject = f"{self.database.schema}.outbox"
        ours = [row for row in late if row.tenant == tenant]
        detail = f"{waiting} events wait"
        if not ours:
            return [
                Ailment(Code.OUTBOX_STUCK, subject=subject, detail=detail + ", none of this tenant's among the oldest")
            ]
        return [
            Ailment(Code.OUTBOX_STUCK, row.session_id, f"{subject}/{row.id}", f"{row.subject}; {detail}")
            for row in ours
        ]

    async def relay(self) -> list[pb.Treated]:
        """Publish what waits, each event by itself: one that the bus refuses does not hold up the others."""
        rows = self.database.outbox.table
        async with self.database.transaction() as connection:
            ids = list((await connection.execute(select(rows.c.id).order_by(rows.c.id).limit(MAX_SUBJECTS))).scalars())
        return [await self._relay_one(rows, each) for each in ids]

    async def _relay_one(self, rows: Table, row_id: int) -> pb.Treated:
        subject = f"{self.database.schema}.outbox/{row_id}"
        try:
            async with self.database.transaction() as connection:
                one = select(rows).where(rows.c.id == row_id).with_for_update(skip_locked=True)
                row = (await connection.execute(one)).one_or_none()
                if row is not None:
                    await self.bus.publish_raw(row.subject, row.message, row.event_id, row.headers)
                    await connection.execute(rows.delete().where(rows.c.id == row_id))
        except BusUnavailable as error:
            return pb.Treated(subject=subject, reason=error.reason)
        return pb.Treated(subject=subject, mended=True)


def _told_at_us(message: bytes) -> int:
    """When the event happened; 0, long ago, for what is no event."""
    try:
        return Envelope.FromString(message).occurred_at_us
    except DecodeError:
        return 0


@dataclass(frozen=True, slots=True)
class ObjectReader:
    """Reads what references name and tells what is not as it was stored. What is missing the list of objects tells."""

    store: ObjectStore
    sealed: SealedStore
    at_once: int = 4

    async def examine(self, tenant: str, session_id: str, refs: Iterable[ObjectRef]) -> list[Ailment]:
        """Raises StoreUnavailable. Objects are hashed as they come; only sealed ones are held whole."""
        room = asyncio.Semaphore(self.at_once)

        async def one(ref: ObjectRef) -> Ailment | None:
            async with room:
                return await self._one(tenant, session_id, ref)

        return [found for found in await asyncio.gather(*(one(ref) for ref in refs)) if found]

    async def _one(self, tenant: str, session_id: str, ref: ObjectRef) -> Ailment | None:
        digest, size = hashlib.sha256(), 0
        kept: list[bytes] = []
        sealed = ref.key.startswith(SealedStore.key(tenant, session_id, ""))
        try:
            async for data in self.store.stream(ref.key):
                digest.update(data)
                size += len(data)
                if sealed:
                    kept.append(data)
        except ObjectMissing:
            return None
        if ref.sha256 and digest.hexdigest() != ref.sha256:
            detail = f"{size} bytes with SHA-256 {digest.hexdigest()}, stored were {ref.size_bytes} with {ref.sha256}"
            return Ailment(Code.OBJECT_DIFFERS, session_id, ref.key, detail)
        return self._opened(tenant, session_id, ref.key, b"".join(kept)) if sealed else None

    def _opened(self, tenant: str, session_id: str, key: str, data: bytes) -> Ailment | None:
        name = key.removeprefix(SealedStore.key(tenant, session_id, ""))
        try:
            self.sealed.sealer.open(tenant, session_id, name, data)
        except SealBroken as error:
            return Ailment(Code.SEAL_BROKEN, session_id, key, str(error))
        return None
