"""The object store's S3 adapter: any S3 API through boto3, in threads of its own."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shuanglu.common.v1.types_pb2 import ObjectRef
from shuanglu_common.metrics import STORE_BYTES, STORE_SECONDS
from shuanglu_common.settings import ServiceSettings
from shuanglu_common.store import (
    CHUNK_BYTES,
    REMOVED,
    ChecksumWrong,
    Listed,
    ObjectMissing,
    StoreUnavailable,
    Unfinished,
    undamaged,
    verify,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CopySourceTypeDef

PART_BYTES = 8 << 20
# A store that hangs must not take the threads that others of the process wait for.
THREADS = 16
T = TypeVar("T")


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
            verify=str(settings.s3_ca_file) if settings.s3_ca_file else None,
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

    async def folders(self, prefix: str) -> Sequence[str]:
        """See ObjectStore."""

        def work() -> Sequence[str]:
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix, Delimiter="/"
            )
            return sorted(each["Prefix"] for page in pages for each in page.get("CommonPrefixes", []))

        return await self.call("list", work)

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
