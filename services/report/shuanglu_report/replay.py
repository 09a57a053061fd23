"""Replay over HTTP: playlists and segments below `/hls/<token>/`. The token is the authority; there is no other.

Addresses name a track and a segment of the granted session and are looked up among its rows, so no path can leave it.
Small parts are checked against their hash before they are sent; large ones are streamed.
"""

import re
from collections.abc import AsyncIterator, Callable

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from shuanglu.common.v1.types_pb2 import ObjectRef, TrackKind
from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu_common.errors import ShuangluError
from shuanglu_common.http_server import error_response
from shuanglu_common.store import ObjectStore
from shuanglu_report import metrics
from shuanglu_report.domain import hls
from shuanglu_report.domain.link import Grant, opened
from shuanglu_report.errors import ReplayPartNotFound
from shuanglu_report.ports import ReportRows
from shuanglu_report.replay_tracks import replay_track

_PLAYLIST = "application/vnd.apple.mpegurl"
_VERIFIED_BYTES = 8 << 20
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_SEGMENT = re.compile(r"(\d{6,9})\.m4s")
# The token is in the address: it must not leave by a referrer or a shared cache.
_SAFE = {"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}

log = structlog.get_logger()


class Replay:
    """Handlers of the replay's addresses."""

    def __init__(self, rows: ReportRows, store: ObjectStore, link_key: bytes, now_us: Callable[[], int]) -> None:
        """`link_key` signs links; `now_us` tells the time."""
        self._rows = rows
        self._store = store
        self._link_key = link_key
        self._now_us = now_us

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/hls/{token}/tracks/{track_id}/playlist.m3u8", self.media_playlist),
                Route("/hls/{token}/tracks/{track_id}/{file}", self.part),
                Route("/hls/{token}/{name}.m3u8", self.master_playlist),
            ],
            exception_handlers={ShuangluError: _refused, 404: _unknown, 405: _unknown},
        )

    async def master_playlist(self, request: Request) -> Response:
        """The whole session, or one role by its name."""
        tracks = [replay_track(stored) for stored in await self._tracks(request)]
        name = request.path_params["name"]
        if name == "master":
            return _playlist(hls.master_playlist(tracks))
        text = hls.role_playlist(tracks, name)
        if text is None:
            raise ReplayPartNotFound("the recording has no such playlist")
        return _playlist(text)

    async def media_playlist(self, request: Request) -> Response:
        """One track."""
        return _playlist(hls.media_playlist(replay_track(await self._track(request))))

    async def part(self, request: Request) -> Response:
        """Init segment or media segment, whole or a range (RFC 9110 §14)."""
        stored = await self._track(request)
        ref = _part_of(stored, request.path_params["file"])
        media_type = "audio/mp4" if stored.track.kind == TrackKind.TRACK_KIND_AUDIO else "video/mp4"
        etag = f'"{ref.sha256}"'
        headers = {**_SAFE, "Accept-Ranges": "bytes", "ETag": etag, "Cache-Control": "private, max-age=3600, immutable"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        span = _span(request.headers.get("range"), ref.size_bytes)
        if span is None:
            return Response(status_code=416, headers={**_SAFE, "Content-Range": f"bytes */{ref.size_bytes}"})
        start, end = span
        partial = request.headers.get("range") is not None and (start, end) != (0, ref.size_bytes)
        if partial:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{ref.size_bytes}"
        status = 206 if partial else 200
        metrics.REPLAY_REQUESTS.labels("sent").inc()
        if request.method == "HEAD":
            headers["Content-Length"] = str(end - start)
            return Response(status_code=status, media_type=media_type, headers=headers)
        metrics.REPLAY_BYTES.inc(end - start)
        if ref.size_bytes <= _VERIFIED_BYTES:
            data = await self._store.get(ref)
            return Response(data[start:end], status, headers, media_type)
        headers["Content-Length"] = str(end - start)
        chunks: AsyncIterator[bytes] = self._store.stream(ref.key, start, end)
        return StreamingResponse(chunks, status, headers, media_type)

    async def _tracks(self, request: Request) -> list[TrackStored]:
        """All tracks that the link opens. Raises LinkRefused, LinkExpired, ReplayPartNotFound."""
        grant: Grant = opened(self._link_key, request.path_params["token"], self._now_us())
        tracks = await self._rows.tracks(grant.tenant, grant.session_id)
        if not tracks:
            raise ReplayPartNotFound("the recording is not stored any more")
        return tracks

    async def _track(self, request: Request) -> TrackStored:
        wanted = request.path_params["track_id"]
        found = next((item for item in await self._tracks(request) if item.track.track_id == wanted), None)
        if found is None:
            raise ReplayPartNotFound("the recording has no such track")
        return found


def _part_of(stored: TrackStored, name: str) -> ObjectRef:
    """The object behind a file name. Raises ReplayPartNotFound, for gaps too."""
    if name == "init.mp4":
        return stored.track.init
    match = _SEGMENT.fullmatch(name)
    index = int(match[1]) if match else 0
    found = next((segment for segment in stored.segments if segment.index == index), None)
    if found is None or hls.segment_name(index) != name:
        raise ReplayPartNotFound("the track has no such part")
    return found.object


def _span(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and end (exclusive); None if it cannot be met. Several ranges or another unit: the whole part."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return 0, size
    first, last = match.groups()
    if not first:
        return (max(size - int(last), 0), size) if int(last) else None
    start, end = int(first), min(int(last) + 1, size) if last else size
    return (start, end) if start < end else None


def _playlist(text: str) -> Response:
    headers = {**_SAFE, "Cache-Control": "private, max-age=60"}
    return Response(text, media_type=_PLAYLIST, headers=headers)


async def _refused(_request: Request, error: Exception) -> Response:
    """The gateway's JSON shape for an error."""
    metrics.REPLAY_REQUESTS.labels("refused").inc()
    known = error if isinstance(error, ShuangluError) else ReplayPartNotFound()
    if not known.status.name.startswith(("NOT_FOUND", "PERMISSION")):
        log.error("replay.failed", reason=known.reason)
    response = error_response(known)
    response.headers.update({**_SAFE, "Cache-Control": "no-store"})
    return response


async def _unknown(request: Request, _error: Exception) -> Response:
    return await _refused(request, ReplayPartNotFound("there is nothing at this address"))
