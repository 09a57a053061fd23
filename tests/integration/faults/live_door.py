"""The live door as a process of its own, on a real store and a real bus behind proxies, and a call written for it.

The call's files grow faster than in real time, by odd bytes, all at once, as the media server's do.
"""

import asyncio
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import boto3
import grpc
import nats
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from tests.integration.faults.proxy import FaultProxy
from tests.integration.faults.recordings import ROOT

from shuanglu.common.v1.types_pb2 import Inspection, Participant, ParticipantRole
from shuanglu.media.v1.media_events_pb2 import RecordingCompleted, SegmentStored, TrackStored
from shuanglu.media.v1.recorder_service_pb2 import (
    CloseRecordingRequest,
    GetRecordingRequest,
    OpenRecordingRequest,
    Recording,
    RecordingState,
)
from shuanglu.media.v1.recorder_service_pb2_grpc import RecorderServiceStub
from shuanglu_common.auth import mint_internal
from shuanglu_common.bus.events import decode
from shuanglu_stack import EmbeddedStack, StackOptions
from shuanglu_stack.development_keys import AUDIENCE
from shuanglu_stack.s3_gateway import BUCKET

sys.path.insert(0, str(ROOT / "services" / "media-ingest" / "tests"))

from live_rig import Rig
from live_sender import ORIGIN_US, arrived, mjr, pictures, sent, sound

from shuanglu_media_ingest.domain.survey import Medium

LIVE = "media-ingest-live"
TENANT = "demo"
CALL_TIMEOUT_S = 5
ENDS_WITHIN_S = 90
SECONDS = 24
PEOPLE = (
    Participant(participant_id="customer", role=ParticipantRole.PARTICIPANT_ROLE_CUSTOMER),
    Participant(participant_id="agent", role=ParticipantRole.PARTICIPANT_ROLE_AGENT),
)
# So much of each file is there at once: the timeline begins at the earliest of them.
HEAD_BYTES = 4096


def make_call(seconds: int = SECONDS) -> dict[str, bytes]:
    """What the media server writes of two people, by file name."""
    moving = mjr(arrived(sent(pictures(seconds), Medium.VIDEO)), Medium.VIDEO)
    heard = mjr(arrived(sent(sound(seconds), Medium.AUDIO)), Medium.AUDIO, ORIGIN_US + 40_000)
    return {
        f"{person.participant_id}~{number}-{kind}.mjr": data
        for number, person in enumerate(PEOPLE, 1)
        for kind, data in (("audio-0", heard), ("video-1", moving))
    }


async def _read_at_once(folder: Path, files: dict[str, bytes]) -> dict[str, bytes]:
    async with Rig(folder) as rig:
        await rig.open(*PEOPLE)
        rig.write_all(files)
        await rig.close()
        await rig.until_complete()
    prefix = f"{TENANT}/{rig.recording.folder.session_id}/"
    return {key.removeprefix(prefix): data for key, data in rig.store.objects.items() if key.endswith((".m4s", ".mp4"))}


def expected_objects(folder: Path, files: dict[str, bytes]) -> dict[str, bytes]:
    """What the store must hold in the end: what comes of the same files without any fault."""
    return asyncio.run(_read_at_once(folder, files))


@dataclass
class LiveDoor:
    """The process, what stands before it and what it rests on."""

    stack: EmbeddedStack
    proxies: dict[str, FaultProxy]
    _channel: grpc.Channel | None = field(default=None)

    @property
    def stub(self) -> RecorderServiceStub:
        if self._channel is None:
            options = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 300)]
            self._channel = grpc.insecure_channel(f"127.0.0.1:{self.stack.ports[LIVE + '-grpc']}", options)
        return RecorderServiceStub(self._channel)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        key = load_pem_private_key(self.stack.keys.internal_key.read_bytes(), None)
        assert isinstance(key, EllipticCurvePrivateKey)
        return (("authorization", f"Bearer {mint_internal(key, 'signaling', TENANT, AUDIENCE)}"),)

    def _call(self, method: Any, request: Any) -> Any:
        return method(request, metadata=self.metadata, timeout=CALL_TIMEOUT_S, wait_for_ready=True)

    def open(self, session_id: str) -> Path:
        """Opens the recording; where the media server writes."""
        inspection = Inspection(face_frames_per_kilosecond=2000, languages=["zh"])
        request = OpenRecordingRequest(session_id=session_id, participants=PEOPLE, inspection=inspection)
        return self.stack.spool_dir() / str(self._call(self.stub.OpenRecording, request).file_prefix)

    def close(self, session_id: str) -> None:
        self._call(self.stub.CloseRecording, CloseRecordingRequest(session_id=session_id))

    def recording(self, session_id: str) -> Recording:
        found = self._call(self.stub.GetRecording, GetRecordingRequest(session_id=session_id)).recording
        assert isinstance(found, Recording)
        return found

    def until_complete(self, session_id: str) -> Recording:
        return self.until(session_id, lambda found: found.state == RecordingState.RECORDING_STATE_COMPLETE)

    def until(self, session_id: str, what: Callable[[Recording], bool]) -> Recording:
        deadline = time.monotonic() + ENDS_WITHIN_S
        while time.monotonic() < deadline:
            try:
                found = self.recording(session_id)
            except grpc.RpcError as error:
                assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)  # noqa: PT017
            else:
                if what(found):
                    return found
            time.sleep(0.2)
        raise AssertionError(f"it is still {self.recording(session_id)}")

    def objects(self, session_id: str) -> dict[str, bytes]:
        """What the store holds of a session's tracks, read past the proxy."""
        keys = self.stack.keys
        s3 = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.stack.ports['s3']}",
            aws_access_key_id=keys.s3_access_key,
            aws_secret_access_key=keys.s3_secret_key,
            region_name="us-east-1",
        )
        prefix = f"{TENANT}/{session_id}/"
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        found = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {
            key.removeprefix(prefix): s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            for key in found
            if key.endswith((".m4s", ".mp4"))
        }

    def events(self, session_id: str) -> list[Any]:
        """What the bus was told of a session, in order, read past the proxy."""
        return asyncio.run(self._events(session_id))

    async def _events(self, session_id: str) -> list[Any]:
        client = await nats.connect(self.stack.nats_url)
        try:
            subscription = await client.jetstream().subscribe(
                f"media.v1.{TENANT}.{session_id}.*", stream="MEDIA", ordered_consumer=True
            )
            info = await subscription.consumer_info()
            # Some are on their way already.
            sent = info.delivered.consumer_seq if info.delivered else 0
            messages = [await subscription.next_msg(5) for _ in range((info.num_pending or 0) + sent)]
            return [decode(message.data).payload for message in messages]
        finally:
            await client.close()


@contextmanager
def live_door(data_dir: Path) -> Iterator[LiveDoor]:
    """A stack with nothing but the live door."""
    stacks: list[EmbeddedStack] = []

    def port_of(name: str) -> Callable[[], int]:
        return lambda: stacks[0].ports[name]

    proxies = {name: FaultProxy(port_of(name), seed) for seed, name in enumerate(("nats", "s3"))}
    options = StackOptions(
        data_dir=data_dir,
        root=ROOT,
        services=(LIVE,),
        detours={name: proxy.port for name, proxy in proxies.items()},
    )
    stacks.append(EmbeddedStack(options))
    with proxies["nats"], proxies["s3"], stacks[0] as stack:
        yield LiveDoor(stack, proxies)


class Writer:
    """Writes a call's files while something happens; `with Writer(…)`: all is written when it is left."""

    def __init__(self, folder: Path, files: dict[str, bytes], seconds: float, seed: int = 0) -> None:
        """`seconds`: how long it takes."""
        self._folder, self._rest, self._seconds = folder, dict(files), seconds
        self._chance = random.Random(seed)
        self._thread = threading.Thread(target=self._write, name="media-server", daemon=True)

    def __enter__(self) -> Self:
        self._append(lambda _data: HEAD_BYTES)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _append(self, size_of: Callable[[bytes], int]) -> None:
        for name, data in self._rest.items():
            size = size_of(data)
            with (self._folder / name).open("ab") as file:
                file.write(data[:size])
            self._rest[name] = data[size:]

    def _write(self) -> None:
        steps = int(self._seconds / 0.05)
        shares = {name: 2 * len(data) // steps + 1 for name, data in self._rest.items()}
        while any(self._rest.values()):
            for name, data in list(self._rest.items()):
                size = self._chance.randrange(shares[name])
                with (self._folder / name).open("ab") as file:
                    file.write(data[:size])
                self._rest[name] = data[size:]
            time.sleep(0.05)


def told_once(events: list[Any], objects: dict[str, bytes]) -> None:
    """Every segment was told once and in order, then every track, then the recording."""
    by_track: dict[str, list[int]] = {}
    for event in events:
        if isinstance(event, SegmentStored):
            by_track.setdefault(event.segment.track_id, []).append(event.segment.index)
    assert by_track
    for track_id, indices in by_track.items():
        stored = sum(key.startswith(f"tracks/{track_id}/") and key.endswith(".m4s") for key in objects)
        assert indices == list(range(1, stored + 1))
    tracks = [event.track.track_id for event in events if isinstance(event, TrackStored)]
    assert sorted(tracks) == sorted(by_track)
    assert [isinstance(event, RecordingCompleted) for event in events[-1:]] == [True]
    assert sum(isinstance(event, RecordingCompleted) for event in events) == 1
