"""A recorder that speaks RecorderService over real gRPC and does as a test tells it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc

from shuanglu.common.v1 import types_pb2
from shuanglu.media.v1 import recorder_service_pb2 as pb
from shuanglu.media.v1.recorder_service_pb2_grpc import (
    RecorderServiceServicer,
    add_RecorderServiceServicer_to_server,
)
from shuanglu_common.clock import SystemClock


@dataclass
class RecorderDouble(RecorderServiceServicer):
    """`offset_us`: how far its clock is before ours."""

    offset_us: int = 0
    recordings: dict[str, pb.Recording] = field(default_factory=dict)
    opened: list[pb.OpenRecordingRequest] = field(default_factory=list)
    closed: list[pb.CloseRecordingRequest] = field(default_factory=list)
    alarm: bool = False
    draining: bool = False
    zone: str = ""
    server: grpc.aio.Server | None = None

    def now_us(self) -> int:
        return SystemClock().now_us() + self.offset_us

    async def OpenRecording(self, request: pb.OpenRecordingRequest, context: Any) -> pb.OpenRecordingResponse:  # noqa: N802
        self.opened.append(request)
        made = pb.Recording(tenant="demo", session_id=request.session_id, state=pb.RECORDING_STATE_OPEN)
        self.recordings.setdefault(request.session_id, made)
        return pb.OpenRecordingResponse(file_prefix=f"demo/{request.session_id}/", now_us=self.now_us())

    async def CloseRecording(self, request: pb.CloseRecordingRequest, context: Any) -> pb.CloseRecordingResponse:  # noqa: N802
        self.closed.append(request)
        recording = self.recordings[request.session_id]
        recording.state = pb.RECORDING_STATE_COMPLETE if recording.tracks else pb.RECORDING_STATE_EMPTY
        return pb.CloseRecordingResponse()

    async def WatchRecordings(  # noqa: N802
        self, request: pb.WatchRecordingsRequest, context: Any
    ) -> AsyncIterator[pb.WatchRecordingsResponse]:
        while True:
            yield pb.WatchRecordingsResponse(
                recordings=self.recordings.values(),
                now_us=self.now_us(),
                alarm=self.alarm,
                draining=self.draining,
                zone=self.zone,
            )
            await asyncio.sleep(0.05)

    def grow(self, session_id: str, *who: str, connection: int = 1) -> None:
        """Bytes of these people are on disk and in the store, now."""
        recording, now_us = self.recordings[session_id], self.now_us()
        recording.started_at_us = recording.started_at_us or now_us
        for each in who:
            for kind in (types_pb2.TRACK_KIND_AUDIO, types_pb2.TRACK_KIND_VIDEO):
                track_id = f"{each}-{'audio' if kind == types_pb2.TRACK_KIND_AUDIO else 'video'}"
                rest = [track for track in recording.tracks if track.track_id != track_id]
                fresh = pb.TrackGrowth(
                    track_id=track_id,
                    participant_id=each,
                    kind=kind,
                    connection=connection,
                    seen_ms=1500,
                    stored_ms=1000,
                    stored_duration_ms=1000,
                    grown_at_us=now_us,
                )
                del recording.tracks[:]
                recording.tracks.extend([*rest, fresh])

    async def start(self, port: int) -> None:
        self.server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        add_RecorderServiceServicer_to_server(self, self.server)
        self.server.add_insecure_port(f"127.0.0.1:{port}")
        await self.server.start()

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.stop(None)
            self.server = None
