"""Small CMAF tracks: init and segments as media-ingest stores them, whose pictures tell their own time."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import av
from PIL import Image
from report_examples import CUSTOMER, SESSION, TENANT

from shuanglu.common.v1.types_pb2 import ObjectRef, Participant, ParticipantRole, TrackKind
from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.media.v1.track_pb2 import Segment, Track
from shuanglu_common.store import MemoryStore

FPS = 10
SEGMENT_S = 2
Painter = Callable[[int], Image.Image]


def grey(at_ms: int) -> Image.Image:
    """Ten more grey levels for each second and one for each frame."""
    level = 20 + at_ms // 100 * 3
    return Image.new("RGB", (320, 240), (level, level, level))


@dataclass
class Boxes:
    """A fragmented MP4 cut at its boxes."""

    init: bytes
    fragments: list[bytes] = field(default_factory=list)


def boxes(data: bytes) -> Boxes:
    """Init up to `moov`, then each `moof` with its `mdat`."""
    found = Boxes(b"")
    at = 0
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        box = data[at : at + size]
        if kind in (b"ftyp", b"moov"):
            found.init += box
        elif kind == b"moof":
            found.fragments.append(box)
        elif kind == b"mdat":
            found.fragments[-1] += box
        at += size
    return found


def encode(seconds: int, painter: Painter, start_ms: int = 0) -> Boxes:
    """H.264, a key frame and a fragment every two seconds; positions begin at `start_ms`."""
    out = io.BytesIO()
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "use_editlist": "0"}
    with av.open(out, "w", format="mp4", options=options) as container:
        stream = container.add_stream(
            "libx264", rate=FPS, options={"preset": "ultrafast", "bf": "0", "sc_threshold": "0"}
        )
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.gop_size = FPS * SEGMENT_S
        stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(seconds * FPS):
            at_ms = start_ms + number * 1000 // FPS
            frame = av.VideoFrame.from_image(painter(at_ms))
            frame.pts, frame.time_base = at_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return boxes(out.getvalue())


async def store_track(
    store: MemoryStore,
    painter: Painter = grey,
    seconds: int = 6,
    track_id: str = "customer-video",
    role: ParticipantRole.ValueType = CUSTOMER,
) -> TrackStored:
    """Encode and store; what media-ingest would tell about it."""
    cut = encode(seconds, painter)
    folder = f"{TENANT}/{SESSION}/tracks/{track_id}"
    refs: list[ObjectRef] = [
        await store.put(f"{folder}/{number:06d}.m4s", data) for number, data in enumerate(cut.fragments, start=1)
    ]
    span = SEGMENT_S * 1000
    segments = [
        Segment(track_id=track_id, index=number + 1, object=ref, start_ms=number * span, end_ms=(number + 1) * span)
        for number, ref in enumerate(refs)
    ]
    track = Track(
        track_id=track_id,
        kind=TrackKind.TRACK_KIND_VIDEO,
        participants=[Participant(participant_id=track_id.split("-", maxsplit=1)[0], role=role)],
        init=await store.put(f"{folder}/init.mp4", cut.init),
        codec="avc1.42c00c",
        end_ms=seconds * 1000,
        segment_count=len(segments),
        width=320,
        height=240,
    )
    return TrackStored(track=track, segments=segments)
