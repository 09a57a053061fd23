"""Reading stored tracks. Presentation times inside a track's segments are positions on the session's timeline."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shuanglu.media.v1.track_pb2 import Segment, Track
from shuanglu_common.errors import DamagedData

if TYPE_CHECKING:
    from av.container import InputContainer

    from shuanglu_common.store import ObjectStore  # a process that only decodes does without the store's client


class SegmentUnreadable(DamagedData):
    """The bytes of a segment cannot be demuxed."""

    reason = "SEGMENT_UNREADABLE"


def track_prefix(tenant: str, session_id: str, track_id: str) -> str:
    """Where a track's objects stand; ends with a slash."""
    return f"{tenant}/{session_id}/tracks/{track_id}/"


def init_key(tenant: str, session_id: str, track_id: str) -> str:
    """Key of a track's init segment."""
    return track_prefix(tenant, session_id, track_id) + "init.mp4"


def segment_key(tenant: str, session_id: str, track_id: str, index: int) -> str:
    """Key of a segment; `index` from 1."""
    return f"{track_prefix(tenant, session_id, track_id)}{index:06d}.m4s"


async def fetch(store: "ObjectStore", track: Track, segments: Sequence[Segment]) -> bytes:
    """Init and segments as one readable file, each verified by its hash.

    Raises ObjectMissing, ChecksumWrong, StoreUnavailable.
    """
    parts = [await store.get(track.init)]
    for segment in segments:
        parts.append(await store.get(segment.object))  # noqa: PERF401 - one after the other, on purpose
    return b"".join(parts)


def open_cmaf(data: bytes) -> "InputContainer":
    """Open init plus segments for demuxing and decoding. Raises SegmentUnreadable."""
    import av  # noqa: PLC0415 - only services that look at media have it

    try:
        return av.open(io.BytesIO(data), mode="r", format="mp4", options={"ignore_editlist": "1"})
    except (av.FFmpegError, ValueError) as error:
        raise SegmentUnreadable(f"a segment cannot be opened: {type(error).__name__}") from error
