"""HLS playlists over stored segments (RFC 8216): CMAF as it was recorded, nothing is encoded again.

Presentation times in the segments are positions on the session's timeline. A playlist therefore begins at the session's
start for every track, and a stretch without media stands in it as EXT-X-GAP of the same length: `#t=12.5` is the same
moment in all tracks.
"""

import math
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from shuanglu.common.v1.types_pb2 import ParticipantRole, TrackKind
from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.media.v1.track_pb2 import Segment, Track
from shuanglu_report.domain.words import role_words

VERSION = 7  # EXT-X-MAP with fMP4 media segments.
# Shorter holes are rounding of sample times, not gaps.
_LEAST_GAP_MS = 100
# A role's own playlist, for players that show each person by himself.
ROLE_FILES = {
    "customer": ParticipantRole.PARTICIPANT_ROLE_CUSTOMER,
    "agent": ParticipantRole.PARTICIPANT_ROLE_AGENT,
    "co-signer": ParticipantRole.PARTICIPANT_ROLE_CO_SIGNER,
    "witness": ParticipantRole.PARTICIPANT_ROLE_WITNESS,
    "supervisor": ParticipantRole.PARTICIPANT_ROLE_SUPERVISOR,
}


def segment_name(index: int) -> str:
    """File name of a segment; `index` from 1."""
    return f"{index:06d}.m4s"


def media_playlist(stored: TrackStored) -> str:
    """The playlist of one track."""
    segments = sorted(stored.segments, key=lambda segment: segment.index)
    entries = list(_entries(segments))
    longest = max((duration for _, duration, _ in entries), default=1000)
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{max(math.ceil(longest / 1000), 1)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MAP:URI="init.mp4"',
    ]
    for name, duration, is_gap in entries:
        lines += [*(["#EXT-X-GAP"] if is_gap else []), f"#EXTINF:{duration / 1000:.3f},", name]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def _entries(segments: Sequence[Segment]) -> Iterator[tuple[str, int, bool]]:
    """File name, duration in milliseconds and whether it is a gap, from the session's start on."""
    at_ms = 0
    for number, segment in enumerate(segments):
        if segment.start_ms - at_ms >= _LEAST_GAP_MS:
            yield f"gap-{segment.index:06d}.m4s", segment.start_ms - at_ms, True
        follower = segments[number + 1] if number + 1 < len(segments) else None
        hole = follower.start_ms - segment.end_ms if follower else _LEAST_GAP_MS
        # What is lost by rounding to milliseconds must not add up over an hour.
        at_ms = follower.start_ms if follower and hole < _LEAST_GAP_MS else segment.end_ms
        yield segment_name(segment.index), max(at_ms - segment.start_ms, 1), False


def master_playlist(tracks: Sequence[TrackStored]) -> str:
    """The whole session: the customer's picture first; the other persons' pictures and voices as alternatives.

    There is one variant, because variants must show the same thing (RFC 8216 §4.3.4.2): a player would switch between
    persons with the bandwidth. Pictures are a group of TYPE=VIDEO, voices one of TYPE=AUDIO.
    """
    videos, audios = _of_kind(tracks, TrackKind.TRACK_KIND_VIDEO), _of_kind(tracks, TrackKind.TRACK_KIND_AUDIO)
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if not videos:
        return "\n".join([*lines, *_sound_only(audios), ""])
    lines += [_media("AUDIO", "voices", stored.track, first=stored is audios[0]) for stored in audios]
    if len(videos) > 1:
        lines += [_media("VIDEO", "persons", stored.track, first=stored is videos[0]) for stored in videos]
    groups = [*(['AUDIO="voices"'] if audios else []), *(['VIDEO="persons"'] if len(videos) > 1 else [])]
    return "\n".join([*lines, *_variant(videos[0], audios, groups), ""])


def role_playlist(tracks: Sequence[TrackStored], role: ParticipantRole.ValueType) -> str | None:
    """One person's picture with that person's own voice; None if the person is on no track."""
    own = [stored for stored in tracks if any(person.role == role for person in stored.track.participants)]
    return master_playlist(own) if _playable(own) else None


def _playable(tracks: Sequence[TrackStored]) -> bool:
    return bool(_of_kind(tracks, TrackKind.TRACK_KIND_VIDEO) or _of_kind(tracks, TrackKind.TRACK_KIND_AUDIO))


def _of_kind(tracks: Sequence[TrackStored], kind: TrackKind.ValueType) -> list[TrackStored]:
    """Tracks of a kind, the customer's first, then by role and id."""

    def order(stored: TrackStored) -> tuple[int, str]:
        return min((person.role for person in stored.track.participants), default=0), stored.track.track_id

    return sorted((stored for stored in tracks if stored.track.kind == kind and stored.segments), key=order)


def _playlist_uri(track: Track) -> str:
    return f"tracks/{quote(track.track_id, safe='')}/playlist.m3u8"


def _media(kind: str, group: str, track: Track, *, first: bool) -> str:
    people = " / ".join(role_words(person.role).both for person in track.participants)
    name = (people or track.track_id).replace('"', "'")
    chosen = "YES" if first else "NO"
    return (
        f'#EXT-X-MEDIA:TYPE={kind},GROUP-ID="{group}",NAME="{name}",DEFAULT={chosen},AUTOSELECT=YES,'
        f'URI="{_playlist_uri(track)}"'
    )


def _bits(stored: TrackStored) -> tuple[int, int]:
    """Highest and average bits a second over the segments."""
    rates = [
        segment.object.size_bytes * 8000 // max(segment.end_ms - segment.start_ms, 1) for segment in stored.segments
    ]
    length_ms = max(sum(segment.end_ms - segment.start_ms for segment in stored.segments), 1)
    total = sum(segment.object.size_bytes for segment in stored.segments)
    return max(rates, default=0), total * 8000 // length_ms


def _variant(video: TrackStored, audios: Sequence[TrackStored], groups: Sequence[str]) -> list[str]:
    loudest = max((_bits(stored) for stored in audios), default=(0, 0))
    peak, average = _bits(video)
    codecs = ",".join(dict.fromkeys([video.track.codec, *(stored.track.codec for stored in audios)]))
    attributes = [
        f"BANDWIDTH={max(peak + loudest[0], 1)}",
        f"AVERAGE-BANDWIDTH={max(average + loudest[1], 1)}",
        f'CODECS="{codecs}"',
        *([f"RESOLUTION={video.track.width}x{video.track.height}"] if video.track.width else []),
        *groups,
    ]
    return [f"#EXT-X-STREAM-INF:{','.join(attributes)}", _playlist_uri(video.track)]


def _sound_only(audios: Sequence[TrackStored]) -> list[str]:
    """Voices without a picture: the first is the variant, the others are alternatives."""
    if not audios:
        return []
    media = [_media("AUDIO", "voices", stored.track, first=stored is audios[0]) for stored in audios]
    return [
        *(media if len(audios) > 1 else []),
        *_variant(audios[0], (), ['AUDIO="voices"'] if len(audios) > 1 else []),
    ]
