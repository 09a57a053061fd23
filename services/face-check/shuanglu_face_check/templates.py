"""Templates: the embeddings that faces of a session are compared with.

A template is biometric data (PIPL art. 28): it leaves the process only sealed, expires long before the recording, and
is never in an event, a log or a metric. If it has expired it is made anew from what the session holds.
"""

import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from shuanglu.common.v1.types_pb2 import ObjectRef
from shuanglu.media.v1.track_pb2 import Track
from shuanglu_common.cell.models import InferenceFailed
from shuanglu_common.clock import Clock
from shuanglu_common.cmaf import SegmentUnreadable
from shuanglu_common.errors import DamagedData
from shuanglu_common.store import ObjectMissing, SealedStore
from shuanglu_face_check.domain.embedding import Embedding
from shuanglu_face_check.domain.reference import segments_to_ask
from shuanglu_face_check.errors import EarlierSegmentMissing
from shuanglu_face_check.metrics import FAILURES, TEMPLATES
from shuanglu_face_check.segments import SegmentReader

ID_PHOTO = "templates/id-photo"
US = 1_000_000
# In memory templates live minutes, whatever expiry they have in the store.
MEMORY_US = 600 * US
MEMORY_ENTRIES = 512

log = structlog.get_logger()
Key = tuple[str, str, str]
Note = Callable[[str, str, str], Awaitable[None]]


class TemplateMaker(Protocol):
    """Makes embeddings from bytes. Raises ModelsAway, InferenceFailed beside what each method says."""

    @property
    def model(self) -> str:
        """The embedder's version: templates of different models cannot be compared."""
        ...

    async def from_photo(self, data: bytes) -> Embedding | None:
        """The face of an ID photo; None if there is none. Raises PhotoUnreadable."""
        ...

    async def from_segment(self, data: bytes) -> Embedding | None:
        """The reference face in a segment's first frame; None if there is none. Raises SegmentUnreadable."""
        ...


@dataclass(frozen=True, slots=True)
class Template:
    """An embedding (None: looked and found no face) with the model and the source that it was made from."""

    model: str
    source: str
    embedding: Embedding | None

    def to_bytes(self) -> bytes:
        """For sealing. JSON keeps every bit of the numbers."""
        return json.dumps({"model": self.model, "source": self.source, "embedding": self.embedding}).encode()

    @staticmethod
    def from_bytes(data: bytes) -> "Template":
        """Raises ValueError, KeyError, TypeError on anything else."""
        document = json.loads(data)
        return Template(str(document["model"]), str(document["source"]), tuple(map(float, document["embedding"])))


class TemplateKeeper:
    """Gives the templates of a session, making them once."""

    def __init__(
        self,
        sealed: SealedStore,
        segments: SegmentReader,
        maker: TemplateMaker,
        clock: Clock,
        ttl_s: int,
        note: Note | None = None,
    ) -> None:
        """`ttl_s`: how long a stored template lives. `note` is told of each before it is stored."""
        self.sealed = sealed
        self.segments = segments
        self.maker = maker
        self.clock = clock
        self.ttl_s = ttl_s
        self.note = note
        self.memory: OrderedDict[Key, tuple[int, Template]] = OrderedDict()

    async def id_photo(self, tenant: str, session_id: str, photo: ObjectRef) -> Embedding | None:
        """The ID photo's template; None if it is missing, unreadable or shows no face. Raises StoreUnavailable."""
        key = (tenant, session_id, ID_PHOTO)
        template = await self.known(key)
        if template is None or template.source != photo.sha256:
            template = await self.make_from_photo(key, photo)
        return template.embedding

    async def make_from_photo(self, key: Key, photo: ObjectRef) -> Template:
        """Look at the photo; what goes wrong is logged and counted, and leaves faces uncompared."""
        tenant, session_id, _ = key
        embedding, reason = None, "PHOTO_WITHOUT_FACE"
        try:
            data = await self.sealed.get(tenant, session_id, photo)
            embedding = await self.maker.from_photo(data)
        except (DamagedData, ObjectMissing, InferenceFailed) as error:
            reason = error.reason
        if embedding is None:
            log.warning("id_photo.unusable", reason=reason)
            FAILURES.labels(reason).inc()
        return await self.keep(key, Template(self.maker.model, photo.sha256, embedding))

    async def reference(self, tenant: str, session_id: str, track: Track, segment_index: int) -> Embedding | None:
        """The track's reference as far as a segment may know it (domain/reference.py); None if there is none yet.

        Raises EarlierSegmentMissing, StoreUnavailable.
        """
        key = (tenant, session_id, f"templates/{track.track_id}")
        template = await self.known(key)
        asked = segments_to_ask(segment_index)
        if template is not None and template.embedding is not None:
            return template.embedding if int(template.source) in asked else None
        looked_at = int(template.source) if template else 0
        for index in asked:
            if index <= looked_at:
                continue
            embedding = await self.face_of_segment(tenant, session_id, track, index)
            template = await self.keep(key, Template(self.maker.model, str(index), embedding))
            if embedding is not None:
                return embedding
        return None

    async def face_of_segment(self, tenant: str, session_id: str, track: Track, index: int) -> Embedding | None:
        """The reference face in one segment; a segment that cannot be read or looked at has none."""
        try:
            data = await self.segments.fetch_by_index(tenant, session_id, track, index)
            return await self.maker.from_segment(data)
        except ObjectMissing as error:
            raise EarlierSegmentMissing(f"segment {index} is not in the store") from error
        except (SegmentUnreadable, InferenceFailed):
            return None

    async def known(self, key: Key) -> Template | None:
        """From memory or from the store; None if there is none of this model that can be opened."""
        until_us, template = self.memory.get(key, (0, None))
        if template is not None and until_us > self.clock.now_us():
            self.memory.move_to_end(key)
            return template
        self.memory.pop(key, None)
        try:
            data = await self.sealed.read(*key)
            template = Template.from_bytes(data) if data is not None else None
        except (DamagedData, ValueError, KeyError, TypeError):
            log.warning("template.unreadable")
            return None
        if template is None or template.model != self.maker.model:
            return None
        self.remember(key, template)
        return template

    async def keep(self, key: Key, template: Template) -> Template:
        """Seal and store a template that holds a face; remember it either way."""
        if template.embedding is not None:
            expires_at_us = self.clock.now_us() + self.ttl_s * US
            if self.note:
                await self.note(*key)
            await self.sealed.put(*key, template.to_bytes(), expires_at_us=expires_at_us)
            TEMPLATES.labels("id_photo" if key[2] == ID_PHOTO else "reference").inc()
        self.remember(key, template)
        return template

    def remember(self, key: Key, template: Template) -> None:
        """Keep it in memory for a while; the one unused for longest goes first."""
        self.memory[key] = (self.clock.now_us() + min(MEMORY_US, self.ttl_s * US), template)
        self.memory.move_to_end(key)
        while len(self.memory) > MEMORY_ENTRIES:
            self.memory.popitem(last=False)
