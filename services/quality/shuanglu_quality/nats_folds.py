"""Folds in the bus's key-value store `quality_folds`: key `<tenant>.<session_id>`, zstd-compressed FoldSnapshot.

What has grown large goes, sealed, to the object store as a part that is never written again, and the bucket holds the
rest: an hour's call costs a save as much at its end as at its beginning.
Decided folds stay until they expire, so that late and repeated events are known as such. Those that are not decided are
found by an index, the bucket `quality_open`: a look at all of them costs the same after ten sessions or ten thousand.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress

import zstandard
from google.protobuf.message import DecodeError
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import KeyValueConfig, StorageType
from nats.js.errors import BucketNotFoundError, KeyNotFoundError, KeyWrongLastSequenceError, NoKeysError, NotFoundError
from nats.js.kv import KeyValue

from shuanglu.quality.v1.fold_pb2 import FoldSnapshot
from shuanglu_common.bus.subjects import Stream
from shuanglu_common.store import SealedStore
from shuanglu_quality.errors import FoldConflict, FoldsUnavailable, SnapshotDamaged
from shuanglu_quality.fold import SessionFold, restore
from shuanglu_quality.folds import Session, Stored
from shuanglu_quality.metrics import SNAPSHOT_BYTES

BUCKET = "quality_folds"
OPEN_BUCKET = "quality_open"
# Not a session's key, which has a dot: folds from before there was an index are in it.
INDEXED = "indexed"
SPILLED = "folds"
MAX_SNAPSHOT_BYTES = 512 << 20


async def open_bucket(jetstream: JetStreamContext, bucket: str, ttl_s: float, replicas: int) -> KeyValue:
    """The bucket, made if it is missing. Raises FoldsUnavailable."""
    try:
        try:
            return await jetstream.key_value(bucket)
        except BucketNotFoundError:
            config = KeyValueConfig(bucket=bucket, history=1, ttl=ttl_s, storage=StorageType.FILE, replicas=replicas)
            return await jetstream.create_key_value(config)
    except (NatsError, OSError, TimeoutError) as error:
        raise FoldsUnavailable(f"bucket {bucket}: {type(error).__name__}") from error


class NatsFoldStore:
    """See folds.FoldStore. Compare-and-set by the key's revision."""

    def __init__(
        self, jetstream: JetStreamContext, bucket: KeyValue, index: KeyValue, sealed: SealedStore, inline_bytes: int
    ) -> None:
        """`inline_bytes`: what is larger becomes a part; stay below the bus's largest message."""
        self._jetstream = jetstream
        self._bucket = bucket
        self._index = index
        self._sealed = sealed
        self._inline_bytes = inline_bytes
        self._spilled: set[Session] = set()

    async def load(self, tenant: str, session_id: str) -> Stored | None:
        """See FoldStore."""
        try:
            entry = await self._bucket.get(f"{tenant}.{session_id}")
        except KeyNotFoundError:
            return None
        except (NatsError, OSError, TimeoutError) as error:
            raise FoldsUnavailable(f"read failed: {type(error).__name__}") from error
        snapshot = _unpack(entry.value or b"")
        if snapshot.HasField("pointer"):
            self._spilled.add((tenant, session_id))
            snapshot = _unpack(await self._sealed.get(tenant, session_id, snapshot.pointer))
        try:
            parts = await self._parts(tenant, session_id, snapshot)
            return Stored(restore(tenant, session_id, snapshot, parts), entry.revision or 0)
        except (DecodeError, KeyError) as error:
            raise SnapshotDamaged("a fold holds an event that cannot be read") from error

    async def _parts(self, tenant: str, session_id: str, snapshot: FoldSnapshot) -> list[FoldSnapshot]:
        """What was put aside; of a decided session nobody needs it any more."""
        if snapshot.parts:
            self._spilled.add((tenant, session_id))
        if snapshot.HasField("verdict"):
            return []
        return [_unpack(await self._sealed.get(tenant, session_id, ref)) for ref in snapshot.parts]

    async def save(self, fold: SessionFold, revision: int) -> int:
        """See FoldStore."""
        data = _pack(fold.snapshot())
        SNAPSHOT_BYTES.observe(len(data))
        if len(data) > self._inline_bytes and fold.verdict is None:
            part = _pack(FoldSnapshot(events=fold.envelopes(fold.put_aside)))
            name = f"{SPILLED}/{hashlib.sha256(part).hexdigest()[:16]}"
            self._spilled.add((fold.tenant, fold.session_id))
            fold.aside(await self._sealed.put(fold.tenant, fold.session_id, name, part))
            data = _pack(fold.snapshot())
        try:
            key = f"{fold.tenant}.{fold.session_id}"
            if not revision:
                # Before the fold: a crash between the two leaves a key that leads to nothing, not a lost session.
                await self._index.put(key, b"")
            kept = await (self._bucket.update(key, data, last=revision) if revision else self._bucket.create(key, data))
        except KeyWrongLastSequenceError as error:
            raise FoldConflict("another owner has saved this fold") from error
        except (NatsError, OSError, TimeoutError) as error:
            raise FoldsUnavailable(f"save failed: {type(error).__name__}") from error
        if fold.announced and (fold.tenant, fold.session_id) in self._spilled:
            await self._sealed.store.delete_prefix(self._sealed.key(fold.tenant, fold.session_id, f"{SPILLED}/"))
            self._spilled.discard((fold.tenant, fold.session_id))
        return kept

    async def sessions(self) -> list[Session]:
        """See FoldStore."""
        prefix = f"$KV.{OPEN_BUCKET}."
        try:
            info = await self._jetstream.stream_info(f"KV_{OPEN_BUCKET}", subjects_filter=prefix + ">")
        except (NatsError, OSError, TimeoutError) as error:
            raise FoldsUnavailable(f"list failed: {type(error).__name__}") from error
        split = (name.removeprefix(prefix).partition(".") for name in info.state.subjects or {})
        return sorted((tenant, session_id) for tenant, dot, session_id in split if dot)

    async def index_all(self) -> None:
        """Once for a bucket of folds that is older than its index. Raises FoldsUnavailable."""
        try:
            with suppress(KeyNotFoundError):
                await self._index.get(INDEXED)
                return
            with suppress(NoKeysError):
                for key in await self._bucket.keys():
                    await self._index.put(key, b"")
            await self._index.put(INDEXED, b"")
        except (NatsError, OSError, TimeoutError) as error:
            raise FoldsUnavailable(f"index failed: {type(error).__name__}") from error

    async def close(self, tenant: str, session_id: str) -> None:
        """See FoldStore. Purged, because a deletion would leave a mark."""
        try:
            name = f"$KV.{OPEN_BUCKET}.{tenant}.{session_id}"
            await self._jetstream.purge_stream(f"KV_{OPEN_BUCKET}", subject=name)
        except (NatsError, OSError, TimeoutError) as error:
            raise FoldsUnavailable(f"close failed: {type(error).__name__}") from error


class NatsBacklog:
    """See folds.Backlog. Positions are sequences of the stream FOLDS."""

    def __init__(self, jetstream: JetStreamContext, durables: Sequence[str]) -> None:
        """`durables`: the consumer of each partition."""
        self._jetstream = jetstream
        self._durables = durables

    async def last(self) -> int:
        """See Backlog."""
        try:
            return (await self._jetstream.stream_info(Stream.FOLDS)).state.last_seq
        except (NatsError, OSError, TimeoutError) as error:
            raise FoldsUnavailable(f"stream: {type(error).__name__}") from error

    async def folded(self) -> int:
        """See Backlog. A consumer that has nothing left is as far as the stream."""
        last = await self.last()
        try:
            infos = [await self._jetstream.consumer_info(Stream.FOLDS, durable) for durable in self._durables]
        except NotFoundError:
            return 0
        except (NatsError, OSError, TimeoutError) as error:
            raise FoldsUnavailable(f"consumers: {type(error).__name__}") from error
        floors = (
            info.ack_floor.stream_seq if info.ack_floor and (info.num_pending or info.num_ack_pending) else last
            for info in infos
        )
        return min(floors, default=last)


def _pack(snapshot: FoldSnapshot) -> bytes:
    return zstandard.ZstdCompressor(level=3).compress(snapshot.SerializeToString(deterministic=True))


def _unpack(data: bytes) -> FoldSnapshot:
    try:
        plain = zstandard.ZstdDecompressor().decompress(data, max_output_size=MAX_SNAPSHOT_BYTES)
        return FoldSnapshot.FromString(plain)
    except (zstandard.ZstdError, DecodeError) as error:
        raise SnapshotDamaged("a stored fold cannot be read") from error
