"""The object store: a port, and sealed objects on top. Its adapter is s3_store.py.

Objects are immutable: a key is only ever written with the same content again. Keys start with the tenant.
"""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from shuanglu.common.v1.types_pb2 import ObjectRef
from shuanglu_common.clock import Clock
from shuanglu_common.errors import DamagedData, DependencyError, NotFound
from shuanglu_common.sealing import Sealer, expiry_us

# What an operator took out of the way; no tenant begins with an underscore.
REMOVED = "_removed/"
# Bytes that came or went wrong are moved again. Twice wrong in the same way is damage; each time otherwise a bad line.
MOVES = 4
CHUNK_BYTES = 256 << 10
T = TypeVar("T")


class ObjectMissing(NotFound):
    """The store has no such object."""

    reason = "OBJECT_NOT_FOUND"


class StoreUnavailable(DependencyError):
    """The store is away, slow or refuses."""

    reason = "STORE_UNAVAILABLE"


class ChecksumWrong(DamagedData):
    """What the store holds is not what was stored."""

    reason = "CHECKSUM_WRONG"


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as the store lists it."""

    key: str
    size_bytes: int
    modified_at_us: int


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Parts of an object whose upload was begun and neither completed nor aborted: a crash leaves them behind."""

    key: str
    upload_id: str
    begun_at_us: int


class ObjectStore(Protocol):
    """Immutable objects by key. All methods raise StoreUnavailable when the store is away."""

    async def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> ObjectRef:
        """Store bytes and confirm that they arrived. Raises ChecksumWrong."""
        ...

    async def put_file(self, key: str, path: Path, progress: Callable[[int], None] | None = None) -> ObjectRef:
        """Store a file of any size with flat memory; `progress` is told bytes stored so far. Raises ChecksumWrong."""
        ...

    async def get(self, ref: ObjectRef) -> bytes:
        """The bytes that a reference names. Raises ObjectMissing, ChecksumWrong."""
        ...

    async def read(self, key: str) -> bytes:
        """The bytes under a key, unverified. Raises ObjectMissing."""
        ...

    def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Bytes `start`..`end` (exclusive) in chunks. Raises ObjectMissing."""
        ...

    async def head(self, key: str) -> int | None:
        """Size in bytes, or None if there is no such object."""
        ...

    async def list(self, prefix: str) -> list[str]:
        """All keys that start with the prefix, sorted."""
        ...

    def pages(self, prefix: str) -> AsyncIterator[Sequence[Listed]]:
        """All objects under a prefix in the order of their keys, at most 1000 at a time."""
        ...

    async def folders(self, prefix: str) -> Sequence[str]:
        """What stands right below a prefix and has something below it, each with its slash at the end, sorted."""
        ...

    async def set_aside(self, key: str) -> None:
        """Move an object to `_removed/<key>`, from where a person can fetch it back. Raises ObjectMissing."""
        ...

    async def unfinished(self, prefix: str) -> Sequence[Unfinished]:
        """Uploads under a prefix that were never completed; at most 1000."""
        ...

    async def give_up(self, upload: Unfinished) -> None:
        """Remove the parts of an upload; nothing happens if it was completed or given up meanwhile."""
        ...

    async def delete_prefix(self, prefix: str) -> int:
        """Delete all objects under a prefix, and what was begun there; returns how many objects.

        Only for things that were never completed.
        """
        ...


def verify(ref: ObjectRef, data: bytes) -> bytes:
    """The data, if it is what the reference says. Raises ChecksumWrong."""
    if len(data) != ref.size_bytes or hashlib.sha256(data).hexdigest() != ref.sha256:
        raise ChecksumWrong("an object differs from its reference", key=ref.key)
    return data


async def undamaged(move: Callable[[], Awaitable[bytes]], check: Callable[[bytes], T]) -> T:
    """What `check` makes of moved bytes; what it refuses is moved again.

    Raises the error of `check` for bytes that are wrong twice in the same way, StoreUnavailable if they always differ.
    """
    wrong: set[bytes] = set()
    for _ in range(MOVES):
        data = await move()
        try:
            return check(data)
        except DamagedData:
            digest = hashlib.sha256(data).digest()
            if digest in wrong:
                raise
            wrong.add(digest)
    raise StoreUnavailable("what comes from the store is wrong in another way each time")


class MemoryStore:
    """Objects in a dictionary, for unit tests; passes the same contract tests as the S3 adapter."""

    def __init__(self) -> None:
        """Empty."""
        self.objects: dict[str, bytes] = {}

    async def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> ObjectRef:  # noqa: ARG002
        """See ObjectStore."""
        self.objects[key] = data
        return ObjectRef(key=key, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())

    async def put_file(self, key: str, path: Path, progress: Callable[[int], None] | None = None) -> ObjectRef:
        """See ObjectStore."""
        ref = await self.put(key, path.read_bytes())
        if progress:
            progress(ref.size_bytes)
        return ref

    async def get(self, ref: ObjectRef) -> bytes:
        """See ObjectStore."""
        return verify(ref, await self.read(ref.key))

    async def read(self, key: str) -> bytes:
        """See ObjectStore."""
        if key not in self.objects:
            raise ObjectMissing("the store has no such object")
        return self.objects[key]

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See ObjectStore."""
        data = (await self.read(key))[start:end]
        for at in range(0, len(data), CHUNK_BYTES):
            yield data[at : at + CHUNK_BYTES]

    async def head(self, key: str) -> int | None:
        """See ObjectStore."""
        return len(self.objects[key]) if key in self.objects else None

    async def list(self, prefix: str) -> list[str]:
        """See ObjectStore."""
        return sorted(key for key in self.objects if key.startswith(prefix))

    async def pages(self, prefix: str) -> AsyncIterator[Sequence[Listed]]:
        """See ObjectStore. Nothing here has an age."""
        keys = await self.list(prefix)
        for start in range(0, len(keys), 1000):
            yield [Listed(key, len(self.objects[key]), 0) for key in keys[start : start + 1000]]

    async def folders(self, prefix: str) -> Sequence[str]:
        """See ObjectStore."""
        rest = (key.removeprefix(prefix) for key in self.objects if key.startswith(prefix))
        return sorted({prefix + name.partition("/")[0] + "/" for name in rest if "/" in name})

    async def unfinished(self, prefix: str) -> Sequence[Unfinished]:  # noqa: ARG002
        """See ObjectStore. Here all is put at once."""
        return []

    async def give_up(self, upload: Unfinished) -> None:
        """See ObjectStore."""

    async def set_aside(self, key: str) -> None:
        """See ObjectStore."""
        self.objects[REMOVED + key] = await self.read(key)
        del self.objects[key]

    async def delete_prefix(self, prefix: str) -> int:
        """See ObjectStore."""
        keys = await self.list(prefix)
        for key in keys:
            del self.objects[key]
        return len(keys)


class SealedStore:
    """Sealed objects of a session under `<tenant>/<session_id>/sealed/<name>`."""

    def __init__(self, store: ObjectStore, sealer: Sealer, clock: Clock) -> None:
        """`clock` decides what has expired."""
        self.store = store
        self.sealer = sealer
        self.clock = clock

    @staticmethod
    def key(tenant: str, session_id: str, name: str) -> str:
        """Key of a sealed object."""
        return f"{tenant}/{session_id}/sealed/{name}"

    async def put(self, tenant: str, session_id: str, name: str, data: bytes, expires_at_us: int = 0) -> ObjectRef:
        """Seal and store; the same data under the same name gives the same bytes."""
        sealed = self.sealer.seal(tenant, session_id, name, data, expires_at_us)
        ref = await self.store.put(self.key(tenant, session_id, name), sealed)
        ref.sealed = True
        return ref

    async def get(self, tenant: str, session_id: str, ref: ObjectRef) -> bytes:
        """Open what a reference names. Raises ObjectMissing (also when expired or of another session), SealBroken."""
        prefix = self.key(tenant, session_id, "")
        if not ref.key.startswith(prefix):
            raise ObjectMissing("the reference is not of this session")
        data = await self.read(tenant, session_id, ref.key.removeprefix(prefix))
        if data is None:
            raise ObjectMissing("the store has no such object")
        return data

    async def read(self, tenant: str, session_id: str, name: str) -> bytes | None:
        """Open by name; None if it is missing or has expired. Raises SealBroken."""
        key = self.key(tenant, session_id, name)
        try:
            sealed, data = await undamaged(
                lambda: self.store.read(key),
                lambda sealed: (sealed, self.sealer.open(tenant, session_id, name, sealed)),
            )
        except ObjectMissing:
            return None
        end = expiry_us(sealed)
        return None if end and end <= self.clock.now_us() else data
