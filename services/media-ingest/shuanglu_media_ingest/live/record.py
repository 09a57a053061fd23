"""What the journal says of a session: rebuilt from it after a restart, kept up with it while it grows."""

import base64
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from shuanglu.media.v1.track_pb2 import Segment, Track
from shuanglu_media_ingest.live.journal import Entry


@dataclass(slots=True)
class TrackRecord:
    """One track."""

    track: Track | None = None  # once its init segment is in the store
    stored: int = 0  # segments that the store has confirmed
    stored_ms: int = 0
    stored_duration_ms: int = 0
    first_at_us: dict[str, int] = field(default_factory=dict)  # by file: arrival of its first record
    ends: dict[str, int] = field(default_factory=dict)  # by file: bytes that count; what comes later does not


@dataclass(slots=True)
class SessionRecord:
    """One session."""

    origin_us: int | None = None  # start of the timeline on the recorder's clock
    tracks: dict[str, TrackRecord] = field(default_factory=dict)
    untold: deque[Segment] = field(default_factory=deque)  # confirmed, and not told yet
    told: int = 0
    trace_parent: str = ""  # W3C: of the call that opened it
    completed_at_us: int | None = None
    is_empty: bool = False

    def track(self, track_id: str) -> TrackRecord:
        """Of one track, made if it is not known."""
        return self.tracks.setdefault(track_id, TrackRecord())

    def apply(self, entry: Entry) -> None:
        """The journal has this entry."""
        match entry["is"]:
            case "trace":
                self.trace_parent = entry["parent"]
            case "origin":
                self.origin_us = entry["at_us"]
            case "file":
                self.track(entry["track"]).first_at_us[entry["file"]] = entry["at_us"]
            case "end":
                self.track(entry["track"]).ends[entry["file"]] = entry["offset"]
            case "track":
                track = Track.FromString(base64.b64decode(entry["message"]))
                self.track(track.track_id).track = track
            case "segment":
                self._stored(segment_of(entry), entry["duration_ms"])
            case "told":
                self.told += 1
                self.untold.popleft()
            case "complete":
                self.completed_at_us, self.is_empty = entry["at_us"], entry["empty"]

    def _stored(self, segment: Segment, duration_ms: int) -> None:
        record = self.track(segment.track_id)
        record.stored = segment.index
        record.stored_ms = segment.end_ms
        record.stored_duration_ms += duration_ms
        self.untold.append(segment)


def origin_entry(at_us: int) -> Entry:
    """The session's timeline begins."""
    return {"is": "origin", "at_us": at_us}


def trace_entry(trace_parent: str) -> Entry:
    """In whose trace (W3C `traceparent`) the session is recorded."""
    return {"is": "trace", "parent": trace_parent}


def file_entry(track_id: str, file: str, first_at_us: int) -> Entry:
    """A file is begun; its first record arrived at `first_at_us` on the recorder's clock."""
    return {"is": "file", "track": track_id, "file": file, "at_us": first_at_us}


def end_entry(track_id: str, file: str, offset: int) -> Entry:
    """A file counts up to here."""
    return {"is": "end", "track": track_id, "file": file, "offset": offset}


def track_entry(track: Track) -> Entry:
    """The store has the track's init segment."""
    return {"is": "track", "message": _text(track.SerializeToString(deterministic=True))}


def segment_entry(segment: Segment, duration_ms: int) -> Entry:
    """The store has confirmed a segment. `duration_ms`: without the holes in it."""
    message = _text(segment.SerializeToString(deterministic=True))
    return {"is": "segment", "message": message, "duration_ms": duration_ms}


def told_entry() -> Entry:
    """The bus has the next one of the confirmed segments."""
    return {"is": "told"}


def complete_entry(at_us: int, *, empty: bool) -> Entry:
    """All is stored and told; or there was nothing."""
    return {"is": "complete", "at_us": at_us, "empty": empty}


def segment_of(entry: Entry) -> Segment:
    """The segment of such an entry."""
    return Segment.FromString(base64.b64decode(entry["message"]))


def segments_by_track(entries: Iterable[Entry]) -> dict[str, list[Segment]]:
    """All confirmed segments, each track's in order."""
    found: dict[str, list[Segment]] = {}
    for entry in entries:
        if entry["is"] == "segment":
            segment = segment_of(entry)
            found.setdefault(segment.track_id, []).append(segment)
    return found


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
