"""A whole media-ingest in memory: real spool, real media, small stand-ins for database, store and bus."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.message import Message
from ingest_fakes import INSPECTION, PEOPLE, TENANT, FakeSessions, FixedClock, MemoryImports

from shuanglu.common.v1.types_pb2 import Participant, ParticipantRole
from shuanglu.media.v1.import_service_pb2 import ImportRecordingRequest, SourceFile
from shuanglu_common.bus.events import NewEvent
from shuanglu_common.sealing import Sealer
from shuanglu_common.store import MemoryStore, SealedStore
from shuanglu_media_ingest.domain import imports
from shuanglu_media_ingest.domain.imports import Import, ImportState, Plan
from shuanglu_media_ingest.importing import Importer
from shuanglu_media_ingest.rpc import ImportRpc, Patience
from shuanglu_media_ingest.spool import Spool, Upload

EXPIRY_S = 3600


@dataclass
class Bench:
    folder: Path
    clock: FixedClock = field(default_factory=FixedClock)
    records: MemoryImports = field(default_factory=MemoryImports)
    sessions: FakeSessions = field(default_factory=FakeSessions)
    store: MemoryStore = field(default_factory=MemoryStore)
    published: list[NewEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.spool = Spool(self.folder)
        self.sealed = SealedStore(self.store, Sealer(bytes(32)), self.clock)
        self.rpc = ImportRpc(self.records, self.spool, self.sessions, self.clock, Patience(10, 86_400))
        self.importer = self.new_importer()

    def new_importer(self) -> Importer:
        async def publish(event: NewEvent) -> None:
            self.published.append(event)

        return Importer(self.records, self.spool, self.store, self.sealed, publish, self.clock, EXPIRY_S)

    def upload(self, data: bytes, *, tenant: str = TENANT, missing: int = 0) -> Upload:
        """A complete upload, or one that lacks bytes at its end."""
        expires_at_us = self.clock.now + EXPIRY_S * 1_000_000
        upload = Upload(secrets.token_hex(16), tenant, "app", len(data) + missing, 0, expires_at_us)
        self.spool.create(upload)
        writer = self.spool.writer(upload)
        writer.write(data)
        writer.checkpoint(expires_at_us)
        writer.close()
        return writer.upload

    def accepted(self, *files: imports.SourceFile, photo: str = "", nodes: Sequence[imports.Node] = ()) -> Import:
        """An import as ImportRecording leaves it."""
        plan = Plan(files, photo, tuple(nodes), INSPECTION)
        import_id = imports.import_id(TENANT, "session-1", plan.upload_ids)
        record = Import(TENANT, import_id, "session-1", ImportState.ACCEPTED, plan, self.clock.now)
        self.records.records[(TENANT, import_id)] = record
        return record

    def state_of(self, record: Import) -> Import:
        return self.records.records[(record.tenant, record.import_id)]

    def told(self, kind: type[Message]) -> list[Message]:
        """Payloads of one kind, from bus and outbox."""
        return [event.payload for event in [*self.published, *self.records.outbox] if isinstance(event.payload, kind)]


def request_of(*uploads: Upload, photo: Upload | None = None, session_id: str = "session-1") -> ImportRecordingRequest:
    """Each upload with the customer in the first, the agent in the second."""
    people = [
        Participant(participant_id=person.participant_id, role=ParticipantRole.Value(f"PARTICIPANT_ROLE_{person.role}"))
        for person in PEOPLE
    ]
    return ImportRecordingRequest(
        session_id=session_id,
        files=[
            SourceFile(upload_id=upload.upload_id, participants=[person])
            for upload, person in zip(uploads, people, strict=False)
        ],
        id_photo_upload_id=photo.upload_id if photo else "",
    )
