"""Asks the recorders beside the media servers, and keeps what they tell (RecorderService of media-ingest)."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import grpc
import structlog

from shuanglu.common.v1 import types_pb2
from shuanglu.media.v1 import recorder_service_pb2 as pb
from shuanglu.media.v1.recorder_service_pb2_grpc import RecorderServiceStub
from shuanglu.media.v1.track_pb2 import GapCause
from shuanglu_common.clock import Clock
from shuanglu_common.metrics import CLOCK_OFFSET
from shuanglu_signaling import wire
from shuanglu_signaling.call_metrics import CLOSE_FAILURES
from shuanglu_signaling.domain.call import Call
from shuanglu_signaling.domain.call_proof import UNSEEN, RecordingState, Sight, TrackSight
from shuanglu_signaling.domain.call_table import AbsenceCause, TrackKind
from shuanglu_signaling.domain.placement import Standing
from shuanglu_signaling.domain.session import Inspection, Participant
from shuanglu_signaling.errors import RecorderUnavailable, RecordingGone

if TYPE_CHECKING:
    from shuanglu.media.v1.recorder_service_pb2_grpc import RecorderServiceAsyncStub

Metadata = tuple[tuple[str, str], ...]
# Of no tenant in particular: WatchRecordings tells of all.
ANY_TENANT = "system"
CALL_TIMEOUT_S = 5.0
# Answers come every half second; without one for so long the stream is begun anew.
SILENCE_S = 5.0
RECONNECT_S = 0.5
# A recorder that refused a session is asked for the next one only if there is no other, for so long.
REFUSED_S = 5.0
OFFSETS = 20

KIND_OF = {types_pb2.TRACK_KIND_AUDIO: TrackKind.AUDIO, types_pb2.TRACK_KIND_VIDEO: TrackKind.VIDEO}
KINDS = {kind: number for number, kind in KIND_OF.items()}
CAUSES = {cause: GapCause.Value(f"GAP_CAUSE_{cause}") for cause in AbsenceCause}
STATE_OF = {
    pb.RECORDING_STATE_OPEN: RecordingState.OPEN,
    pb.RECORDING_STATE_CLOSING: RecordingState.CLOSING,
    pb.RECORDING_STATE_COMPLETE: RecordingState.COMPLETE,
    pb.RECORDING_STATE_EMPTY: RecordingState.EMPTY,
}

log = structlog.get_logger()


@dataclass(slots=True)
class Node:
    """One recorder: how to reach it, how far its clock is from ours, and what it has told."""

    name: str
    stub: "RecorderServiceAsyncStub"
    offsets: deque[int] = field(default_factory=lambda: deque(maxlen=OFFSETS))
    sights: dict[tuple[str, str], Sight] = field(default_factory=dict)
    heard_at_us: int = 0
    alarm: bool = False
    open_recordings: int = 0
    draining: bool = False
    zone: str = ""
    refused_at: float = -REFUSED_S  # Monotonic seconds.

    def offset_us(self) -> int:
        """How far the recorder's clock is before ours: the answer that took least time on the way tells best."""
        return max(self.offsets, default=0)

    def take(self, answer: pb.WatchRecordingsResponse, now_us: int, *, first: bool) -> None:
        """Keep what an answer tells; a stream's first one names all there are. `now_us`: our clock when it came."""
        self.offsets.append(answer.now_us - now_us)
        self.heard_at_us, self.alarm, self.open_recordings = answer.now_us, answer.alarm, answer.open_recordings
        self.draining, self.zone = answer.draining, answer.zone or self.zone
        if first:
            self.sights.clear()
        for recording in answer.recordings:
            self.sights[recording.tenant, recording.session_id] = read_recording(recording)

    def sight(self, tenant: str, session_id: str) -> Sight:
        """What is known of one session."""
        return replace(self.sights.get((tenant, session_id), UNSEEN), heard_at_us=self.heard_at_us, alarm=self.alarm)


class GrpcRecorders:
    """The port `Recorders`; `watch` keeps the sights up to date."""

    def __init__(
        self,
        targets: dict[str, str],
        channel: Callable[[str], grpc.aio.Channel],
        metadata: Callable[[str], Metadata],
        clock: Clock,
    ) -> None:
        """`targets`: host:port of each node's recorder; `metadata`: credentials of a call for a tenant."""
        self.nodes: dict[str, Node] = {}
        self.channel = channel
        self.metadata = metadata
        self.clock = clock
        self.changed = asyncio.Event()
        """Set whenever a recorder has spoken; who waits for it clears it."""
        self.show_clocks()
        for name, target in targets.items():
            self.add(name, target)

    def add(self, name: str, target: str, zone: str = "") -> Node:
        """Another recorder, or one that is known already. `zone`: unless it says so itself."""
        if name not in self.nodes:
            self.nodes[name] = Node(name, RecorderServiceStub(self.channel(target)), zone=zone)
        return self.nodes[name]

    def standing(self, name: str) -> Standing:
        """What placement asks."""
        node = self.nodes.get(name)
        if node is None:
            return Standing()
        return Standing(node.draining, node.zone, time.monotonic() - node.refused_at < REFUSED_S)

    def show_clocks(self) -> None:
        """The recorder's clock that is farthest from ours."""
        farthest_us = max((each.offset_us() for each in self.nodes.values()), key=abs, default=0)
        CLOCK_OFFSET.labels("media-ingest-live").set(farthest_us / 1_000_000)

    def node(self, name: str) -> Node:
        """Raises RecorderUnavailable for a node that is not set up any more."""
        found = self.nodes.get(name)
        if found is None:
            raise RecorderUnavailable("没有此录制节点。There is no such media node.", node=name)
        return found

    async def open(
        self, node: str, tenant: str, session_id: str, people: Sequence[Participant], inspection: Inspection
    ) -> str:
        """OpenRecording."""
        request = pb.OpenRecordingRequest(
            session_id=session_id,
            participants=[wire.write_participant(person) for person in people],
            inspection=wire.write_inspection(inspection),
        )
        recorder = self.node(node)
        try:
            # Waited for: a recorder that has just been started again is back before a person would try again.
            answer = await recorder.stub.OpenRecording(
                request, metadata=self.metadata(tenant), timeout=CALL_TIMEOUT_S, wait_for_ready=True
            )
        except grpc.aio.AioRpcError as error:
            recorder.refused_at = time.monotonic()
            raise unavailable(error, node) from error
        if not recorder.offsets:
            recorder.offsets.append(answer.now_us - self.clock.now_us())
        return str(answer.file_prefix)

    async def close(self, node: str, tenant: str, call: Call) -> None:
        """CloseRecording. Raises RecordingGone if the recorder knows of no such session."""
        try:
            await self.node(node).stub.CloseRecording(
                close_request(call), metadata=self.metadata(tenant), timeout=CALL_TIMEOUT_S
            )
        except grpc.aio.AioRpcError as error:
            CLOSE_FAILURES.inc()
            if error.code() is grpc.StatusCode.NOT_FOUND:
                raise RecordingGone("录制已丢失。The recorder knows of no such recording.", node=node) from error
            raise unavailable(error, node) from error

    def sight(self, node: str, tenant: str, session_id: str) -> Sight:
        """From memory."""
        recorder = self.nodes.get(node)
        return UNSEEN if recorder is None else recorder.sight(tenant, session_id)

    def now_us(self, node: str) -> int:
        """Our clock, moved to the recorder's."""
        recorder = self.nodes.get(node)
        return self.clock.now_us() + (recorder.offset_us() if recorder else 0)

    async def watch(self, node: Node, stopping: asyncio.Event) -> None:
        """WatchRecordings until told to stop; a recorder that is away is asked again."""
        while not stopping.is_set():
            try:
                await self.listen(node, stopping)
            except (grpc.aio.AioRpcError, TimeoutError) as error:
                # What was known stays known: it grows old, and the proof says so.
                log.warning("recorder.away", node=node.name, error=error)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), RECONNECT_S)

    async def listen(self, node: Node, stopping: asyncio.Event) -> None:
        """One stream. Raises AioRpcError, TimeoutError when it breaks off."""
        request = pb.WatchRecordingsRequest()
        stream = node.stub.WatchRecordings(request, metadata=self.metadata(ANY_TENANT), wait_for_ready=False)
        stop = asyncio.create_task(stopping.wait())
        first = True
        try:
            while True:
                read = asyncio.ensure_future(stream.read())
                done, _ = await asyncio.wait({read, stop}, timeout=SILENCE_S, return_when=asyncio.FIRST_COMPLETED)
                if read not in done:
                    read.cancel()
                    if stop in done:
                        return
                    raise TimeoutError("the recorder says nothing")
                answer = read.result()
                if not isinstance(answer, pb.WatchRecordingsResponse):
                    return  # The recorder has ended the stream.
                node.take(answer, self.clock.now_us(), first=first)
                self.show_clocks()
                first = False
                self.changed.set()
        finally:
            stop.cancel()
            stream.cancel()


def unavailable(error: grpc.aio.AioRpcError, node: str) -> RecorderUnavailable:
    """Whatever a recorder answers: nobody can be recorded there now."""
    return RecorderUnavailable(f"录制节点无法录制。The recorder cannot record: {error.code().name}.", node=node)


def read_recording(recording: pb.Recording) -> Sight:
    """What a recorder tells of one session."""
    return Sight(
        state=STATE_OF.get(recording.state, RecordingState.UNKNOWN),
        started_at_us=recording.started_at_us,
        tracks=tuple(
            TrackSight(
                track_id=track.track_id,
                participant_id=track.participant_id,
                kind=KIND_OF[track.kind],
                connection=track.connection,
                seen_ms=track.seen_ms,
                stored_ms=track.stored_ms,
                stored_duration_ms=track.stored_duration_ms,
                grown_at_us=track.grown_at_us,
                lost_permille=track.lost_permille,
            )
            for track in recording.tracks
            if track.kind in KIND_OF
        ),
    )


def close_request(call: Call) -> pb.CloseRecordingRequest:
    """All that the recorder needs of a call that has ended."""
    return pb.CloseRecordingRequest(
        session_id=call.session_id,
        ended_at_us=call.ended_at_us,
        nodes=[
            pb.NodeMark(node_id=take.node_id, take=take.take, start_at_us=take.start_at_us, end_at_us=take.end_at_us)
            for take in call.takes
        ],
        marks=[
            pb.Mark(
                participant_id=mark.participant_id,
                kind=KINDS[mark.kind] if mark.kind else types_pb2.TRACK_KIND_UNSPECIFIED,
                cause=CAUSES[mark.cause],
                start_at_us=mark.start_at_us,
                end_at_us=mark.end_at_us,
            )
            for mark in call.marks
        ],
    )
