"""A whole media-ingest in memory: real spool, real media, small stand-ins for database, store and bus."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from google.protobuf.message import Message
from ingest_fakes import INSPECTION, PEOPLE, TENANT, FakeSessions, FixedClock, MemoryBatches, MemoryImports
from ingest_inline_reader import InlineReader

from shuanglu.common.v1.types_pb2 import Participant, ParticipantRole
from shuanglu.media.v1.import_service_pb2 import ImportRecordingRequest, SourceFile
from shuanglu_common.bus.events import NewEvent
from shuanglu_common.sealing import Sealer
from shuanglu_common.store import MemoryStore, SealedStore
from shuanglu_media_ingest.domain import imports
from shuanglu_media_ingest.domain.imports import Import, ImportState, Plan
from shuanglu_media_ingest.importing.accepting import Acceptance, Files, Manners
from shuanglu_media_ingest.importing.batching import Batching
from shuanglu_media_ingest.importing.importer import Importer, Outside
from shuanglu_media_ingest.importing.rpc import ImportRpc
from shuanglu_media_ingest.uploads.hashing import Hasher
from shuanglu_media_ingest.uploads.held_uploads import HeldUploads
from shuanglu_media_ingest.uploads.spool import Spool, Upload

EXPIRY_S = 3600
HOLD_S = 86_400
SMALL_BYTES = 1 << 20


class NoPressure:
    """Workers that keep up."""

    async def admits(self) -> bool:
        return True

    async def wait(self) -> None:
        return


async def settled() -> None:
    """The memory store has no writes under way."""


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
        self.uploads = HeldUploads(self.spool, self.clock, EXPIRY_S, HOLD_S)
        self.reader = InlineReader()
        files = Files(self.spool, self.uploads, Hasher(self.spool), self.reader)
        manners = Manners(10, SMALL_BYTES)
        self.acceptance = Acceptance(self.records, files, self.sessions, self.clock, manners, lambda: None)
        self.batches = MemoryBatches(self.records)
        self.rpc = ImportRpc(self.acceptance, Batching(self.batches, self.acceptance), self.batches)
        self.importer = self.new_importer()

    def new_importer(self) -> Importer:
        async def publish(event: NewEvent) -> None:
            self.published.append(event)

        outside = Outside(self.store, self.sealed, publish, NoPressure(), settled)
        return Importer(self.records, self.spool, self.uploads, self.reader, outside)

    def upload(self, data: bytes, *, tenant: str = TENANT, missing: int = 0, metadata: str = "") -> Upload:
        """A complete upload, or one that lacks bytes at its end."""
        expires_at_us = self.clock.now + EXPIRY_S * 1_000_000
        upload = Upload(secrets.token_hex(16), tenant, "app", len(data) + missing, 0, expires_at_us, metadata)
        self.spool.create(upload)
        writer = self.spool.writer(upload)
        writer.write(data)
        writer.checkpoint(expires_at_us)
        writer.close()
        return writer.upload

    def accepted(self, *files: imports.SourceFile, photo: str = "", nodes: Sequence[imports.Node] = ()) -> Import:
        """An import that ImportRecording has made and a worker has in hand."""
        plan = Plan(files, photo, tuple(nodes), INSPECTION)
        import_id = imports.import_id(TENANT, "session-1", plan.upload_ids)
        for upload in files:
            held = self.spool.find(TENANT, upload.upload_id)
            self.spool.save(replace(held, held_by=import_id))
        record = Import(TENANT, import_id, "session-1", ImportState.STORING, plan, self.clock.now, lease="mine")
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
