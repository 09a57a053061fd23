"""The object store: a port, its S3 adapter, and sealed objects on top.

Objects are immutable: a key is only ever written with the same content again. Keys start with the tenant.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shuanglu.common.v1.types_pb2 import ObjectRef
from shuanglu_common.clock import Clock
from shuanglu_common.errors import DamagedData, DependencyError, NotFound
from shuanglu_common.metrics import STORE_BYTES, STORE_SECONDS
from shuanglu_common.sealing import Sealer, expiry_us
from shuanglu_common.settings import ServiceSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CopySourceTypeDef

# What an operator took out of the way; no tenant begins with an underscore.
REMOVED = "_removed/"
PART_BYTES = 8 << 20
# Bytes that came or went wrong are moved again. Twice wrong in the same way is damage; each time otherwise a bad line.
MOVES = 4
# Threads of the adapter: a store that hangs must not take the threads that others of the process wait for.
THREADS = 16
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


class S3ObjectStore:
    """Any S3 API through boto3, in threads."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Connects on first use."""
        self.bucket = settings.s3_bucket
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="store")
        self.client: S3Client = boto3.client(
            "s3",
            endpoint_url=settings.s3_endpoint,
            region_name=settings.s3_region,
            aws_access_key_id=settings.s3_access_key,
            aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
            config=Config(
                connect_timeout=3,
                read_timeout=20,
                max_pool_connections=THREADS,
                retries={"max_attempts": 3, "mode": "standard"},
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    async def call(self, operation: str, work: Callable[[], T]) -> T:
        """Run a store call in a thread, timed, its errors translated."""
        started = time.monotonic()
        try:
            return await asyncio.get_running_loop().run_in_executor(self.threads, work)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in {"404", "NoSuchKey", "NoSuchUpload", "NotFound"}:
                raise ObjectMissing("the store has no such object") from error
            raise StoreUnavailable(f"the store answered {code}") from error
        except (BotoCoreError, OSError) as error:
            raise StoreUnavailable(f"the store is away: {type(error).__name__}") from error
        finally:
            STORE_SECONDS.labels(operation).observe(time.monotonic() - started)

    async def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> ObjectRef:
        """See ObjectStore."""

        def work() -> str:
            return self.client.put_object(Bucket=self.bucket, Key=key, Body=data, ContentType=content_type)["ETag"]

        await self.send("put", key, data, work)
        STORE_BYTES.labels("put").inc(len(data))
        return ObjectRef(key=key, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())

    async def send(self, operation: str, key: str, data: bytes, work: Callable[[], str]) -> str:
        """Repeat what sends bytes until the ETag says that they arrived; the ETag. Raises ChecksumWrong."""
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()

        async def sent() -> bytes:
            return (await self.call(operation, work)).encode()

        def checked(etag: bytes) -> str:
            if etag.decode().strip('"') != md5:
                raise ChecksumWrong("the store received other bytes", key=key)
            return etag.decode()

        return await undamaged(sent, checked)

    async def put_file(self, key: str, path: Path, progress: Callable[[int], None] | None = None) -> ObjectRef:
        """See ObjectStore. Parts of 8 MiB, each confirmed by its MD5."""
        size = path.stat().st_size
        if size <= PART_BYTES:
            ref = await self.put(key, await asyncio.to_thread(path.read_bytes))
            if progress:
                progress(size)
            return ref
        upload = await self.call(
            "create_upload", lambda: self.client.create_multipart_upload(Bucket=self.bucket, Key=key)
        )
        upload_id = upload["UploadId"]
        try:
            digest, parts = await self.put_parts(key, upload_id, path, progress)
            await self.call(
                "complete_upload",
                lambda: self.client.complete_multipart_upload(
                    Bucket=self.bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}
                ),
            )
        except BaseException:
            await self.call(
                "abort_upload",
                lambda: self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id),
            )
            raise
        if await self.head(key) != size:
            raise ChecksumWrong("the store holds another size", key=key)
        for earlier in await self.unfinished(key):
            if earlier.key == key:
                await self.give_up(earlier)  # Of a worker that died over the same file.
        STORE_BYTES.labels("put").inc(size)
        return ObjectRef(key=key, size_bytes=size, sha256=digest)

    async def put_parts(
        self, key: str, upload_id: str, path: Path, progress: Callable[[int], None] | None
    ) -> tuple[str, Any]:
        """The parts of a large file, one after the other; returns its SHA-256 and the list that completes it."""
        total = hashlib.sha256()
        parts: list[Any] = []
        stored = 0
        with path.open("rb") as file:
            while data := await asyncio.to_thread(file.read, PART_BYTES):
                total.update(data)
                number = len(parts) + 1

                def work(body: bytes = data, number: int = number) -> str:
                    return self.client.upload_part(
                        Bucket=self.bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=body
                    )["ETag"]

                parts.append({"PartNumber": number, "ETag": await self.send("put_part", key, data, work)})
                stored += len(data)
                if progress:
                    progress(stored)
        return total.hexdigest(), parts

    async def get(self, ref: ObjectRef) -> bytes:
        """See ObjectStore."""
        return await undamaged(lambda: self.read(ref.key), lambda data: verify(ref, data))

    async def read(self, key: str) -> bytes:
        """See ObjectStore."""
        data = await self.call("get", lambda: self.read_all(key))
        STORE_BYTES.labels("get").inc(len(data))
        return data

    def read_all(self, key: str) -> bytes:
        """All bytes of an object."""
        return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See ObjectStore."""
        span = f"bytes={start}-" + (str(end - 1) if end is not None else "")
        body = (await self.call("get", lambda: self.client.get_object(Bucket=self.bucket, Key=key, Range=span)))["Body"]
        try:
            while data := await self.call("get", lambda: body.read(CHUNK_BYTES)):
                STORE_BYTES.labels("get").inc(len(data))
                yield data
        finally:
            body.close()

    async def head(self, key: str) -> int | None:
        """See ObjectStore."""
        try:
            answer = await self.call("head", lambda: self.client.head_object(Bucket=self.bucket, Key=key))
        except ObjectMissing:
            return None
        return answer["ContentLength"]

    async def list(self, prefix: str) -> list[str]:
        """See ObjectStore."""

        def work() -> list[str]:
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            return sorted(item["Key"] for page in pages for item in page.get("Contents", []))

        return await self.call("list", work)

    async def pages(self, prefix: str) -> AsyncIterator[Sequence[Listed]]:
        """See ObjectStore."""
        pages = iter(self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix))
        while page := await self.call("list", lambda: next(pages, None)):
            yield [
                Listed(item["Key"], item["Size"], round(item["LastModified"].timestamp() * 1e6))
                for item in page.get("Contents", [])
            ]

    async def set_aside(self, key: str) -> None:
        """See ObjectStore. One copy inside the store: for objects up to 5 GiB."""
        source: CopySourceTypeDef = {"Bucket": self.bucket, "Key": key}
        await self.call(
            "copy",
            lambda: self.client.copy_object(Bucket=self.bucket, Key=REMOVED + key, CopySource=source),
        )
        await self.call("delete", lambda: self.client.delete_object(Bucket=self.bucket, Key=key))

    async def unfinished(self, prefix: str) -> Sequence[Unfinished]:
        """See ObjectStore."""
        found = await self.call(
            "list",
            lambda: self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=prefix, MaxUploads=1000),
        )
        return [
            Unfinished(each["Key"], each["UploadId"], round(each["Initiated"].timestamp() * 1e6))
            for each in found.get("Uploads", [])
        ]

    async def give_up(self, upload: Unfinished) -> None:
        """See ObjectStore."""
        with suppress(ObjectMissing):
            await self.call(
                "abort_upload",
                lambda: self.client.abort_multipart_upload(
                    Bucket=self.bucket, Key=upload.key, UploadId=upload.upload_id
                ),
            )

    async def delete_prefix(self, prefix: str) -> int:
        """See ObjectStore. `prefix` must name a tenant and a session: ValueError if it does not."""
        if prefix.count("/") < 2 or not all(prefix.split("/")[:2]):  # noqa: PLR2004 - tenant/session/…
            raise ValueError("a prefix to delete must name a tenant and a session")
        keys = await self.list(prefix)
        for upload in await self.unfinished(prefix):
            await self.give_up(upload)
        for key in keys:
            await self.call("delete", lambda key=key: self.client.delete_object(Bucket=self.bucket, Key=key))  # type: ignore[misc]
        return len(keys)


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
