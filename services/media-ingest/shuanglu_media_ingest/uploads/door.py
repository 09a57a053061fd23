"""The upload door: tus 1.0 over HTTP, below /files/, behind the gateway.

Bodies are streamed: at most one checkpoint (4 MiB) of a request is in memory. An upload is seen by who created it and
by the tenant's administrators; for everybody else it does not exist.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shuanglu_common.access import UPLOAD_ROLES, Role
from shuanglu_common.auth import Principal, current_principal
from shuanglu_common.clock import Clock
from shuanglu_common.errors import ShuangluError
from shuanglu_common.http_server import error_response
from shuanglu_media_ingest import metrics
from shuanglu_media_ingest.domain import tus
from shuanglu_media_ingest.domain.pace import WINDOW_S, Pace
from shuanglu_media_ingest.uploads.hashing import Hasher
from shuanglu_media_ingest.uploads.spool import Spool, Upload, Writer
from shuanglu_media_ingest.uploads.tus_errors import (
    ChecksumMismatch,
    ContentTypeWrong,
    DiskFull,
    FinalUpload,
    HeaderWrong,
    OffsetWrong,
    QuotaFull,
    Refusal,
    TooLarge,
    TooManyUploads,
    UploadGone,
    UploadTooSlow,
    VersionWrong,
)

CHECKPOINT_BYTES = 4 << 20
BODY_TYPE = "application/offset+octet-stream"
METHODS = ["OPTIONS", "POST", "HEAD", "PATCH", "DELETE"]
Answer = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a tenant may do."""

    max_upload_bytes: int
    max_uploads: int
    expiry_s: int
    quota_bytes: int = 200 << 30  # of a tenant's uploads together
    min_free_bytes: int = 0  # that a new upload must leave on the disk
    least_bytes_per_s: int = 1024  # that a sender must keep up; 0 waits for ever
    pace_window_s: float = WINDOW_S

    def pace(self) -> Pace:
        """What a body is measured with."""
        return Pace(self.least_bytes_per_s, self.pace_window_s)


class UploadDoor:
    """Answers tus requests."""

    def __init__(self, spool: Spool, limits: Limits, clock: Clock, hasher: Hasher) -> None:
        """`clock` decides when uploads expire, `hasher` is told of complete ones."""
        self._spool, self._limits, self._clock, self._hasher = spool, limits, clock, hasher

    def app(self) -> Starlette:
        """The ASGI application."""
        collection: dict[str, Answer] = {"OPTIONS": self._options, "POST": self._create}
        single: dict[str, Answer] = {
            "OPTIONS": self._options,
            "HEAD": self._head,
            "PATCH": self._patch,
            "DELETE": self._delete,
        }
        return Starlette(
            routes=[
                Route("/files/", _answering(collection), methods=METHODS),
                Route("/files", _answering(collection), methods=METHODS),
                Route("/files/{upload_id}", _answering(single), methods=METHODS),
            ]
        )

    async def reap(self, stopping: asyncio.Event, every_s: float = 60) -> None:
        """Removes expired uploads, and measures the spool, until told to stop."""
        while not stopping.is_set():
            metrics.UPLOADS_EXPIRED.inc(await asyncio.to_thread(self._spool.reap, self._clock.now_us()))
            metrics.SPOOL_BYTES.set(await asyncio.to_thread(self._spool.used_bytes))
            metrics.SPOOL_FREE_BYTES.set(await asyncio.to_thread(self._spool.free_bytes))
            try:
                await asyncio.wait_for(stopping.wait(), every_s)
            except TimeoutError:
                continue

    async def _options(self, _request: Request) -> Response:
        return Response(
            status_code=204,
            headers={
                "Tus-Version": tus.VERSION,
                "Tus-Extension": tus.EXTENSIONS,
                "Tus-Max-Size": str(self._limits.max_upload_bytes),
                "Tus-Checksum-Algorithm": ",".join(tus.CHECKSUMS),
            },
        )

    async def _create(self, request: Request) -> Response:
        principal = _uploader()
        if "upload-defer-length" in request.headers:
            raise HeaderWrong("Upload-Defer-Length is not supported: send Upload-Length")
        metadata = request.headers.get("upload-metadata", "")
        tus.metadata(metadata)
        concat = tus.concat(request.headers.get("upload-concat"))
        if await asyncio.to_thread(self._spool.count_open, principal.tenant) >= self._limits.max_uploads:
            metrics.UPLOADS_REFUSED.labels("count").inc()
            raise TooManyUploads
        if concat is not None and not concat.partial:
            return await self._join(principal, metadata, concat.parts)
        length = self._allowed(tus.number("Upload-Length", request.headers.get("upload-length")))
        await asyncio.to_thread(self._require_room, principal.tenant, length)
        upload = self._new(principal, metadata, length, partial=concat is not None)
        await asyncio.to_thread(self._spool.create, upload)
        if request.headers.get("content-type") == BODY_TYPE:
            upload = await self._receive(request, upload)
        self._hash_if_whole(upload)
        return _created(upload)

    async def _join(self, principal: Principal, metadata: str, ids: tuple[str, ...]) -> Response:
        parts = [await self._find(principal, part) for part in ids]
        if not all(part.partial and part.complete for part in parts):
            raise HeaderWrong("Upload-Concat names an upload that is not partial or not complete")
        length = self._allowed(sum(part.length for part in parts))
        await asyncio.to_thread(self._require_room, principal.tenant, length)
        final = self._new(principal, metadata, length, parts=ids)
        joined = await asyncio.to_thread(self._spool.join, final, parts)
        self._hash_if_whole(joined)
        return _created(joined)

    async def _head(self, request: Request) -> Response:
        upload = await self._find(_uploader(), request.path_params["upload_id"])
        headers = {**_state(upload), "Upload-Length": str(upload.length), "Cache-Control": "no-store"}
        if upload.metadata:
            headers["Upload-Metadata"] = upload.metadata
        if upload.partial:
            headers["Upload-Concat"] = "partial"
        if upload.parts:
            headers["Upload-Concat"] = "final;" + " ".join(f"/files/{part}" for part in upload.parts)
        return Response(status_code=200, headers=headers)

    async def _patch(self, request: Request) -> Response:
        if request.headers.get("content-type") != BODY_TYPE:
            raise ContentTypeWrong
        offset = tus.number("Upload-Offset", request.headers.get("upload-offset"))
        upload = await self._find(_uploader(), request.path_params["upload_id"])
        if upload.parts:
            raise FinalUpload
        if offset != upload.offset:
            raise OffsetWrong
        upload = await self._receive(request, upload)
        self._hash_if_whole(upload)
        return Response(status_code=204, headers=_state(upload))

    async def _delete(self, request: Request) -> Response:
        upload = await self._find(_uploader(), request.path_params["upload_id"])
        await asyncio.to_thread(self._spool.delete, upload)
        return Response(status_code=204)

    async def _receive(self, request: Request, upload: Upload) -> Upload:
        """Appends the body. Bytes that arrived count even if the client goes away, unless a checksum was promised."""
        checksum = tus.checksum(request.headers.get("upload-checksum"))
        announced = request.headers.get("content-length")
        if announced is not None and upload.offset + tus.number("Content-Length", announced) > upload.length:
            raise TooLarge("the body is longer than the rest of the upload")
        writer = await asyncio.to_thread(self._spool.writer, upload)
        try:
            if writer.upload.offset != upload.offset:
                raise OffsetWrong
            await self._append(request, writer, checksum)
            return writer.upload
        finally:
            await asyncio.to_thread(writer.close)

    async def _append(self, request: Request, writer: Writer, checksum: tus.Checksum | None) -> None:
        digest = hashlib.new(checksum.algorithm, usedforsecurity=False) if checksum else None
        room = writer.upload.length - writer.upload.offset

        def keep(block: Block) -> None:
            for chunk in block.chunks:
                if digest:
                    digest.update(chunk)
                writer.write(chunk)
            metrics.UPLOADED_BYTES.inc(block.size)
            if digest:
                writer.sync()
            else:
                writer.checkpoint(self._expiry())

        # A block is hashed and written while the next one arrives; never more than one.
        keeping: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        keeping.set_result(None)
        try:
            async for block in _blocks(request, self._limits.pace()):
                room -= block.size
                await keeping
                if room < 0:
                    raise TooLarge("the body is longer than the rest of the upload")
                keeping = asyncio.ensure_future(asyncio.to_thread(keep, block))
            await keeping
        except ClientDisconnect:
            await keeping
            return
        finally:
            # The file must not be closed under a thread that writes.
            await asyncio.gather(keeping, return_exceptions=True)
        if digest and checksum:
            if digest.digest() != checksum.digest:
                raise ChecksumMismatch
            await asyncio.to_thread(writer.checkpoint, self._expiry())

    async def _find(self, principal: Principal, upload_id: str) -> Upload:
        upload = await asyncio.to_thread(self._spool.find, principal.tenant, upload_id)
        own = upload.subject == principal.subject or Role.ADMIN in principal.roles
        if not own or upload.expires_at_us <= self._clock.now_us():
            raise UploadGone
        return upload

    def _new(
        self, principal: Principal, metadata: str, length: int, *, partial: bool = False, parts: tuple[str, ...] = ()
    ) -> Upload:
        return Upload(
            upload_id=secrets.token_hex(16),
            tenant=principal.tenant,
            subject=principal.subject,
            length=length,
            offset=0,
            expires_at_us=self._expiry(),
            metadata=metadata,
            partial=partial,
            parts=parts,
        )

    def _allowed(self, length: int) -> int:
        if length > self._limits.max_upload_bytes:
            raise TooLarge
        return length

    def _require_room(self, tenant: str, length: int) -> None:
        """Raises DiskFull, QuotaFull. Uploads that grow at the same moment may still meet a full disk on their way."""
        if self._spool.free_bytes() - length < self._limits.min_free_bytes:
            metrics.UPLOADS_REFUSED.labels("disk").inc()
            raise DiskFull
        if self._spool.used_bytes(tenant) + length > self._limits.quota_bytes:
            metrics.UPLOADS_REFUSED.labels("quota").inc()
            raise QuotaFull

    def _hash_if_whole(self, upload: Upload) -> None:
        """The import will ask for the hash; parts of an upload are hashed as a whole."""
        if upload.complete and not upload.partial:
            self._hasher.begin(upload)

    def _expiry(self) -> int:
        return self._clock.now_us() + self._limits.expiry_s * 1_000_000


def _uploader() -> Principal:
    principal = current_principal()
    principal.require_any(UPLOAD_ROLES)
    return principal


def _answering(answers: dict[str, Answer]) -> Answer:
    """One endpoint for a path: chooses by method, checks the version, tells errors."""

    async def endpoint(request: Request) -> Response:
        response = await _answer(answers, request)
        response.headers["Tus-Resumable"] = tus.VERSION
        return response

    return endpoint


async def _answer(answers: dict[str, Answer], request: Request) -> Response:
    # Clients behind old proxies name the method in a header. Only for POST, which never passes without a token.
    method = request.method
    if method == "POST":
        method = request.headers.get("x-http-method-override", method).upper()
    answer = answers.get(method)
    try:
        if answer is None:
            return Response(status_code=405, headers={"Allow": ", ".join(answers)})
        if method != "OPTIONS" and request.headers.get("tus-resumable") != tus.VERSION:
            raise VersionWrong
        return await answer(request)
    except tus.HeaderInvalid as error:
        return _told(HeaderWrong(str(error)))
    except Refusal as error:
        return _told(error)
    except ShuangluError as error:
        return error_response(error)


def _told(error: Refusal) -> JSONResponse:
    response = error_response(error)
    response.status_code = error.http_status
    if error.retry_after_s:
        response.headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, VersionWrong):
        response.headers["Tus-Version"] = tus.VERSION
    return response


def _created(upload: Upload) -> Response:
    # Relative: the gateway's name and scheme are not known here.
    return Response(status_code=201, headers={"Location": f"/files/{upload.upload_id}", **_state(upload)})


def _state(upload: Upload) -> dict[str, str]:
    return {
        "Upload-Offset": str(upload.offset),
        "Upload-Expires": formatdate(upload.expires_at_us / 1e6, usegmt=True),
    }


@dataclass(slots=True)
class Block:
    """Bytes as they arrived, not copied together."""

    chunks: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, chunk: bytes) -> None:
        """At the end."""
        self.chunks.append(chunk)
        self.size += len(chunk)


async def _blocks(request: Request, pace: Pace) -> AsyncIterator[Block]:
    """The body in checkpoints. What has arrived comes first, then ClientDisconnect or UploadTooSlow."""
    block, more = Block(), True
    try:
        while more:
            chunk, more = await _chunk(request, pace)
            block.add(chunk)
            if block.size >= CHECKPOINT_BYTES:
                yield block
                block = Block()
    except (ClientDisconnect, UploadTooSlow):
        if block.size:
            yield block
        raise
    if block.size:
        yield block


async def _chunk(request: Request, pace: Pace) -> tuple[bytes, bool]:
    """The next bytes, perhaps none, and whether there may be more. Raises ClientDisconnect, UploadTooSlow."""
    clock = asyncio.get_running_loop()
    began, chunk, more = clock.time(), b"", True
    # Not `request.stream()`: a generator that was cancelled once is at its end.
    with suppress(TimeoutError):
        async with asyncio.timeout(pace.patience_s):
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk, more = message.get("body", b""), message.get("more_body", False)
    if not pace.took(clock.time() - began, len(chunk)) and more:
        raise UploadTooSlow
    return chunk, more
