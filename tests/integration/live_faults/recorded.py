"""What was recorded: told by the bus, held by the store, compared with what lies in the spool, and played."""

import asyncio
import subprocess
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3
import nats
from google.protobuf.message import Message
from tests.integration.live_faults.stage import digest

from shuanglu.media.v1.media_events_pb2 import RecordingCompleted, TrackStored
from shuanglu.media.v1.track_pb2 import Gap, GapCause
from shuanglu_common.bus.events import decode
from shuanglu_media_ingest.domain import boxes
from shuanglu_media_ingest.domain.live.mjr import Header, MjrParser, Record
from shuanglu_media_ingest.domain.live.track import LiveTrack
from shuanglu_media_ingest.domain.survey import Medium
from shuanglu_media_ingest.live.spool import SessionFolder
from shuanglu_stack import EmbeddedStack
from shuanglu_stack.s3_gateway import BUCKET

TENANT = "demo"
TRACKS = {"customer-audio", "customer-video", "agent-audio", "agent-video"}
COMPLETE_WITHIN_S = 90
POLL_S = 0.5


@dataclass(frozen=True)
class Recorded:
    """One session, complete."""

    stack: EmbeddedStack
    session_id: str
    completed: RecordingCompleted
    tracks: dict[str, TrackStored]
    node: int = 1  # Number of the media node that it was recorded on.

    def gaps(self, track_id: str) -> list[Gap]:
        """Inside the track: who comes a moment later or is ended a moment earlier has lost nothing."""
        track = self.tracks[track_id].track
        gaps = self.tracks[track_id].gaps
        return [gap for gap in gaps if gap.start_ms >= track.start_ms and gap.end_ms <= track.end_ms]

    def missing_s(self, track_id: str) -> float:
        """Seconds without media inside the track."""
        return sum(gap.end_ms - gap.start_ms for gap in self.gaps(track_id)) / 1000

    def causes(self, track_id: str) -> set[str]:
        """Why."""
        return {GapCause.Name(gap.cause).removeprefix("GAP_CAUSE_") for gap in self.gaps(track_id)}

    def file_of(self, track_id: str, folder: Path) -> Path:
        """The track as a file, every object compared with its reference."""
        stored = self.tracks[track_id]
        references = [stored.track.init, *(segment.object for segment in stored.segments)]
        store = _s3(self.stack)
        parts = [store.get_object(Bucket=BUCKET, Key=each.key)["Body"].read() for each in references]
        for reference, data in zip(references, parts, strict=True):
            assert digest(data) == reference.sha256, f"{reference.key} is not what was told"
        path = folder / f"{self.session_id}-{track_id}.mp4"
        path.write_bytes(b"".join(parts))
        return path

    def assert_whole(self, folder: Path) -> None:
        """No segment is missing or twice, all that is on disk is stored, and it plays without a complaint."""
        assert set(self.tracks) == TRACKS == {track.track_id for track in self.completed.tracks}
        for track_id, stored in self.tracks.items():
            assert [segment.index for segment in stored.segments] == list(range(1, len(stored.segments) + 1))
            assert all(before.end_ms <= after.start_ms for before, after in pairwise(stored.segments))
            path = self.file_of(track_id, folder)
            assert media_of(path.read_bytes()) == self._on_disk(track_id), f"{track_id} differs from the spool"
            assert complaints(path) == "", track_id

    def _on_disk(self, track_id: str) -> bytes:
        """Media of the spool's files, read by the domain alone."""
        participant_id, _, kind = track_id.rpartition("-")
        folder = SessionFolder(self.stack.spool_dir(self.node), TENANT, self.session_id)
        files = sorted(
            file for file, size in folder.media() if (file.participant_id, file.kind) == (participant_id, kind) and size
        )
        track, data = LiveTrack(Medium(kind), 0), []
        for file in files:
            parser = MjrParser()
            for item in parser.feed((folder.path / file.name).read_bytes()) + parser.finish():
                if isinstance(item, Header):
                    data += track.begin_file(file.connection, item.first_at_us)
                elif isinstance(item, Record):
                    data += track.feed(item)
        data += track.finish()
        return b"".join(media_of(segment.data) for segment in data)


def media_of(data: bytes) -> bytes:
    """Samples of all fragments."""
    return b"".join(box.payload for box in boxes.split(data) if box.kind == b"mdat")


def complaints(path: Path) -> str:
    """What FFmpeg has to say about the whole file."""
    command = ["ffmpeg", "-v", "error", "-threads", "1", "-i", str(path), "-f", "null", "-"]
    return subprocess.run(command, check=True, capture_output=True, timeout=120, text=True).stderr


def recorded(stack: EmbeddedStack, session_id: str, node: int = 1) -> Recorded:
    """Waits until the recording is complete and told."""
    deadline = time.monotonic() + COMPLETE_WITHIN_S
    while True:
        told = asyncio.run(_events(stack, session_id))
        completed = [event for event in told if isinstance(event, RecordingCompleted)]
        if completed:
            tracks = [event for event in told if isinstance(event, TrackStored)]
            assert len(completed) == 1
            assert len({each.track.track_id for each in tracks}) == len(tracks)
            return Recorded(stack, session_id, completed[0], {each.track.track_id: each for each in tracks}, node)
        assert time.monotonic() < deadline, f"{session_id} was never complete"
        time.sleep(POLL_S)


async def _events(stack: EmbeddedStack, session_id: str) -> list[Message]:
    client = await nats.connect(stack.nats_url)
    try:
        subject = f"media.v1.{TENANT}.{session_id}.*"
        subscription = await client.jetstream().subscribe(subject, stream="MEDIA", ordered_consumer=True)
        pending = (await subscription.consumer_info()).num_pending
        return [decode((await subscription.next_msg(5)).data).payload for _ in range(pending)]
    finally:
        await client.close()


def _s3(stack: EmbeddedStack) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{stack.ports['s3']}",
        aws_access_key_id=stack.keys.s3_access_key,
        aws_secret_access_key=stack.keys.s3_secret_key,
        region_name="us-east-1",
    )
