"""Media-ingest examines itself for `shuanglu doctor`: imports, the spool, and the list of the store's objects."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from sqlalchemy import func, or_, select, update

from shuanglu.common.v1.types_pb2 import ObjectRef
from shuanglu.media.v1.track_pb2 import Track
from shuanglu.ops.v1 import doctor_service_pb2 as pb
from shuanglu.ops.v1.doctor_service_pb2_grpc import MediaDoctorServiceServicer
from shuanglu_common import cmaf
from shuanglu_common.ailments import Ailment, Code
from shuanglu_common.auth import current_principal
from shuanglu_common.clock import Clock
from shuanglu_common.database import Database
from shuanglu_common.doctor import (
    MAX_SUBJECTS,
    US,
    DatabaseDoctor,
    ObjectReader,
    RemedyUnknown,
    ailment_message,
    checked,
    named,
    session_pages,
)
from shuanglu_common.store import Listed, SealedStore
from shuanglu_media_ingest.domain.imports import ENDED, Import, ImportState
from shuanglu_media_ingest.domain.reconciling import INDEX
from shuanglu_media_ingest.importing.importer import ID_PHOTO
from shuanglu_media_ingest.tables import IMPORTS, import_of
from shuanglu_media_ingest.uploads import spool_examination

# A worker beats every few seconds, and another takes over what stands still for 20 s.
BEATLESS_US = 120 * US
WAITED_US = 600 * US
DAY_US = 86_400 * US
PLACES = ("tracks/", "originals/", f"sealed/{ID_PHOTO}")
ORIGINALS, TRACKS = "originals/", "tracks/"
MAX_NAME = 1200  # A key of the store has at most 1024 bytes, the id of an unfinished upload comes behind it.
LIVE = [state.value for state in ImportState if state not in ENDED]
Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class MediaDoctor(MediaDoctorServiceServicer):
    """See protos/shuanglu/ops/v1/doctor_service.proto."""

    database: Database
    common: DatabaseDoctor
    reader: ObjectReader
    spool_dir: Path
    clock: Clock

    async def ExamineImports(  # noqa: N802 - the contract's name
        self,
        request: pb.ExamineImportsRequest,
        context: Context,  # noqa: ARG002
    ) -> AsyncIterator[pb.ExamineImportsResponse]:
        """See the contract."""
        tenant, wanted = current_principal().tenant, checked(request.examination)
        found = await self._stuck(tenant, wanted)
        if not wanted.session_id:
            found += await self.common.examine(tenant, at_rest=wanted.at_rest)
            found += await self._spool(tenant)
            found += await self._unfinished(tenant, at_rest=wanted.at_rest)
        for ailment in found:
            yield pb.ExamineImportsResponse(ailment=ailment_message(ailment))
        async for page in session_pages(self.database, [IMPORTS.c.session_id], tenant, wanted.session_id):
            records = await self._records(tenant, page)
            for session_id in page:
                for record, changed_at_us in records.get(session_id, []):
                    yield pb.ExamineImportsResponse(holding=holding_of(record, changed_at_us))
                    for ailment in await self._photo(record) if wanted.deep else []:
                        yield pb.ExamineImportsResponse(ailment=ailment_message(ailment))

    async def ListObjects(  # noqa: N802 - the contract's name
        self,
        request: pb.ListObjectsRequest,
        context: Context,  # noqa: ARG002
    ) -> AsyncIterator[pb.ListObjectsResponse]:
        """See the contract."""
        session_id = checked(pb.Examination(session_id=request.session_id)).session_id
        prefix = f"{current_principal().tenant}/" + (f"{session_id}/" if session_id else "")
        async for page in self.reader.store.pages(prefix):
            yield pb.ListObjectsResponse(
                objects=[
                    pb.StoredObject(key=each.key, size_bytes=each.size_bytes, modified_at_us=each.modified_at_us)
                    for each in page
                ]
            )

    async def MendImports(  # noqa: N802 - the contract's name
        self,
        request: pb.MendImportsRequest,
        context: Context,  # noqa: ARG002
    ) -> pb.MendImportsResponse:
        """See the contract."""
        tenant, treatment = current_principal().tenant, request.treatment
        if len(treatment.subjects) > MAX_SUBJECTS or not all(map(is_name, treatment.subjects)):
            raise RemedyUnknown
        match treatment.remedy:
            case pb.REMEDY_RELAY_OUTBOX:
                treated = await self.common.relay()
            case pb.REMEDY_RESUME_IMPORTS:
                treated = [await self._resume(tenant, each) for each in treatment.subjects]
            case pb.REMEDY_SET_OBJECTS_ASIDE:
                treated = [await self._set_aside(tenant, each) for each in treatment.subjects]
            case pb.REMEDY_GIVE_UP_UNFINISHED:
                treated = await self._give_up(tenant, treatment.subjects)
            case pb.REMEDY_CLEAR_SPOOL:
                treated = await self._clear(tenant, treatment.subjects)
            case _:
                raise RemedyUnknown
        return pb.MendImportsResponse(treated=treated)

    async def _records(self, tenant: str, session_ids: Sequence[str]) -> dict[str, list[tuple[Import, int]]]:
        query = select(IMPORTS).where(IMPORTS.c.tenant == tenant, IMPORTS.c.session_id.in_(session_ids))
        found: dict[str, list[tuple[Import, int]]] = {}
        async with self.database.transaction() as connection:
            rows = (await connection.execute(query.order_by(IMPORTS.c.created_at_us))).mappings()
            for row in rows:
                found.setdefault(row["session_id"], []).append((import_of(dict(row)), row["updated_at_us"]))
        return found

    async def _stuck(self, tenant: str, wanted: pb.Examination) -> list[Ailment]:
        """Imports that nobody works on: no beat of a worker, or waiting while no worker takes anything."""
        now_us = self.clock.now_us()
        beats = select(func.max(IMPORTS.c.updated_at_us)).where(IMPORTS.c.state == ImportState.STORING.value)
        query = select(IMPORTS).where(IMPORTS.c.tenant == tenant, IMPORTS.c.state.in_(LIVE))
        if wanted.session_id:
            query = query.where(IMPORTS.c.session_id == wanted.session_id)
        if not wanted.at_rest:
            old = IMPORTS.c.updated_at_us < now_us - BEATLESS_US
            query = query.where(or_(IMPORTS.c.state != ImportState.STORING.value, old))
        async with self.database.transaction() as connection:
            last_beat_us = (await connection.execute(beats)).scalar() or 0
            rows = (await connection.execute(query.order_by(IMPORTS.c.created_at_us).limit(MAX_SUBJECTS))).all()
        alive = last_beat_us > now_us - BEATLESS_US
        found = []
        for row in rows:
            since_us = max(row.created_at_us, row.updated_at_us, row.not_before_us)
            waits = row.state == ImportState.ACCEPTED.value
            if not wanted.at_rest and waits and (alive or since_us > now_us - WAITED_US):
                continue
            idle_s = max(0, now_us - since_us) // US
            detail = f"{row.state} for {idle_s} s without progress" + f", {row.waiting_for}" * bool(row.waiting_for)
            found.append(Ailment(Code.IMPORT_STUCK, row.session_id, row.import_id, detail))
        return found

    async def _photo(self, record: Import) -> list[Ailment]:
        """Sound and picture report reads: it knows their hashes."""
        if record.state is not ImportState.STORED or not record.plan.id_photo_upload_id:
            return []
        photo = ObjectRef(key=SealedStore.key(record.tenant, record.session_id, ID_PHOTO))
        return await self.reader.examine(record.tenant, record.session_id, [photo])

    async def _states(self, tenant: str, import_ids: Sequence[str]) -> dict[str, ImportState]:
        query = select(IMPORTS.c.import_id, IMPORTS.c.state).where(
            IMPORTS.c.tenant == tenant, IMPORTS.c.import_id.in_(import_ids)
        )
        async with self.database.transaction() as connection:
            return {row.import_id: ImportState(row.state) for row in await connection.execute(query)}

    async def _spool(self, tenant: str) -> list[Ailment]:
        folder = self.spool_dir / tenant
        states = await self._states(tenant, list(await asyncio.to_thread(spool_examination.held_by, folder)))
        now_us = self.clock.now_us()
        return await asyncio.to_thread(lambda: list(spool_examination.examine(folder, now_us, states.get)))

    async def _clear(self, tenant: str, subjects: Sequence[str]) -> list[pb.Treated]:
        folder = self.spool_dir / tenant
        states = await self._states(tenant, list(await asyncio.to_thread(spool_examination.held_by, folder)))
        now_us = self.clock.now_us()
        treated = []
        for subject in subjects:
            reason = await asyncio.to_thread(spool_examination.clear, folder, subject, now_us, states.get)
            treated.append(pb.Treated(subject=subject, mended=not reason, reason=reason))
        return treated

    async def _unfinished(self, tenant: str, *, at_rest: bool) -> list[Ailment]:
        """Parts that a crash left behind; a large file may take its time, so they have a day."""
        until_us = self.clock.now_us() - (0 if at_rest else DAY_US)
        return [
            Ailment(Code.OBJECT_UNFINISHED, each.key.split("/")[1], f"{each.key}?uploadId={each.upload_id}")
            for each in await self.reader.store.unfinished(f"{tenant}/")
            if each.begun_at_us <= until_us
        ]

    async def _give_up(self, tenant: str, subjects: Sequence[str]) -> list[pb.Treated]:
        known = {
            f"{each.key}?uploadId={each.upload_id}": each for each in await self.reader.store.unfinished(f"{tenant}/")
        }
        treated = []
        for subject in subjects:
            reason = ""
            if subject in known:
                session_id = subject.split("/")[1]
                records = (await self._records(tenant, [session_id])).get(session_id, [])
                reason = "IMPORT_GOES_ON" if any(record.state not in ENDED for record, _ in records) else ""
                if not reason:
                    await self.reader.store.give_up(known[subject])
            treated.append(pb.Treated(subject=subject, mended=not reason, reason=reason))
        return treated

    async def _resume(self, tenant: str, import_id: str) -> pb.Treated:
        """Back into the queue, at once. A worker that is alive after all sees that its lease has gone."""
        now_us = self.clock.now_us()
        stands = (IMPORTS.c.state == ImportState.ACCEPTED.value) | (IMPORTS.c.updated_at_us < now_us - BEATLESS_US)
        statement = (
            update(IMPORTS)
            .where(IMPORTS.c.tenant == tenant, IMPORTS.c.import_id == import_id, IMPORTS.c.state.in_(LIVE), stands)
            .values(
                state=ImportState.ACCEPTED.value,
                lease="",
                beat=IMPORTS.c.beat + 1,
                not_before_us=0,
                updated_at_us=now_us,
            )
        )
        async with self.database.transaction() as connection:
            done = (await connection.execute(statement)).rowcount == 1
        return pb.Treated(subject=import_id, mended=done, reason="" if done else "IN_WORK_OR_ENDED")

    async def _set_aside(self, tenant: str, key: str) -> pb.Treated:
        """Looks again itself: the caller's list may be old."""
        reason = await self._must_stay(tenant, key)
        if not reason:
            await self.reader.store.set_aside(key)
        return pb.Treated(subject=key, mended=not reason, reason=reason)

    async def _must_stay(self, tenant: str, key: str) -> str:
        owner, _, rest = key.partition("/")
        session_id, _, place = rest.partition("/")
        if owner != tenant:
            return "OBJECT_NOT_FOUND"
        if place.startswith(ORIGINALS):
            return "ORIGINAL_STAYS"
        listed: Listed | None = None
        async for page in self.reader.store.pages(key):
            listed = next((each for each in page if each.key == key), None)
            break
        if listed is None:
            return "OBJECT_NOT_FOUND"
        if listed.modified_at_us > self.clock.now_us() - DAY_US:
            return "YOUNGER_THAN_A_DAY"
        records = (await self._records(tenant, [session_id])).get(session_id, [])
        if any(record.state not in ENDED for record, _ in records):
            return "IMPORT_GOES_ON"
        needed = {ref.key for record, _ in records for ref in objects_of(record)}
        # A track with an index is a call's: nothing of a call is ever removed.
        index = cmaf.track_prefix(tenant, session_id, place.removeprefix(TRACKS).partition("/")[0]) + INDEX
        of_call = place.startswith(TRACKS) and await self.reader.store.head(index) is not None
        return "OBJECT_NEEDED" if key in needed or of_call else ""


def is_name(subject: str) -> bool:
    """Whether it can be the name of an import, an object or a file: nothing else goes into queries and keys."""
    return 0 < len(subject) <= MAX_NAME and subject.isprintable()


def objects_of(record: Import) -> list[ObjectRef]:
    """Objects that a stored import rests on; of segments and the photo only the key is known here."""
    if record.state is not ImportState.STORED:
        return []
    tenant, session_id = record.tenant, record.session_id
    refs: dict[str, ObjectRef] = {}
    for data in record.tracks:
        track = Track.FromString(data)
        refs |= {ref.key: ref for ref in (track.init, track.original)}
        for index in range(1, track.segment_count + 1):
            key = cmaf.segment_key(tenant, session_id, track.track_id, index)
            refs[key] = ObjectRef(key=key)
    if record.plan.id_photo_upload_id:
        key = SealedStore.key(tenant, session_id, ID_PHOTO)
        refs[key] = ObjectRef(key=key)
    return list(refs.values())


def holding_of(record: Import, changed_at_us: int) -> pb.Holding:
    """An import as the doctor sees it; one that has ended names all that is left of it."""
    return pb.Holding(
        session_id=record.session_id,
        kind=pb.HOLDING_KIND_IMPORT,
        id=record.import_id,
        state=record.state.value,
        changed_at_us=changed_at_us,
        objects=named(objects_of(record)),
        places=PLACES if record.state in ENDED else (),
    )
