"""HLS playlists over stored segments (RFC 8216): CMAF as it was recorded, nothing is encoded again.

Presentation times in the segments are positions on the session's timeline. A playlist therefore begins at the session's
start for every track, and a stretch without media stands in it as EXT-X-GAP of the same length: `#t=12.5` is the same
moment in all tracks.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

VERSION = 7  # EXT-X-MAP with fMP4 media segments.
# Shorter holes are rounding of sample times, not gaps.
_LEAST_GAP_MS = 100
# RFC 8216 §4.2: a quoted string holds no quote and no line break.
_NOT_IN_QUOTES = str.maketrans({'"': "'", "\n": " ", "\r": " "})
# Whose picture comes first; also the names of the playlists of one person.
ROLES = ("customer", "agent", "co-signer", "witness", "supervisor")


class Kind(StrEnum):
    """What a track carries. A shared screen is not replayed beside faces."""

    VIDEO = "VIDEO"
    AUDIO = "AUDIO"
    SCREEN = "SCREEN"


@dataclass(frozen=True, slots=True)
class ReplaySegment:
    """A stored segment; `index` from 1, times in milliseconds from the session's start."""

    index: int
    start_ms: int
    end_ms: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ReplayTrack:
    """A track as a player sees it."""

    track_id: str
    kind: Kind
    # Who is on it, from ROLES, and how the player names them.
    roles: tuple[str, ...]
    label: str
    # RFC 6381.
    codec: str
    width: int
    height: int
    segments: tuple[ReplaySegment, ...]


def segment_name(index: int) -> str:
    """File name of a segment; `index` from 1."""
    return f"{index:06d}.m4s"


def media_playlist(track: ReplayTrack) -> str:
    """The playlist of one track."""
    segments = sorted(track.segments, key=lambda segment: segment.index)
    entries = list(_entries(segments))
    longest = max((duration for _, duration, _ in entries), default=1000)
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{max(math.ceil(longest / 1000), 1)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        *_start(segments),
        '#EXT-X-MAP:URI="init.mp4"',
    ]
    for name, duration, is_gap in entries:
        lines += [*(["#EXT-X-GAP"] if is_gap else []), f"#EXTINF:{duration / 1000:.3f},", name]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def _start(segments: Sequence[ReplaySegment]) -> list[str]:
    """Where to begin if the track begins late: players wait for ever for the media of a gap that comes first.

    Positions stay those of the session (RFC 8216 §4.3.5.2): in a call people come at different times.
    """
    first_ms = min((segment.start_ms for segment in segments), default=0)
    if first_ms < _LEAST_GAP_MS:
        return []
    return [f"#EXT-X-START:TIME-OFFSET={first_ms / 1000:.3f},PRECISE=YES"]


def _entries(segments: Sequence[ReplaySegment]) -> Iterator[tuple[str, int, bool]]:
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


def master_playlist(tracks: Sequence[ReplayTrack]) -> str:
    """The whole session: the customer's picture first; the other persons' pictures and voices as alternatives.

    There is one variant, because variants must show the same thing (RFC 8216 §4.3.4.2): a player would switch between
    persons with the bandwidth. Pictures are a group of TYPE=VIDEO, voices one of TYPE=AUDIO.
    """
    videos, audios = _of_kind(tracks, Kind.VIDEO), _of_kind(tracks, Kind.AUDIO)
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if not videos:
        return "\n".join([*lines, *_sound_only(audios), ""])
    lines += [_media("AUDIO", "voices", track, first=track is audios[0]) for track in audios]
    if len(videos) > 1:
        lines += [_media("VIDEO", "persons", track, first=track is videos[0]) for track in videos]
    groups = [*(['AUDIO="voices"'] if audios else []), *(['VIDEO="persons"'] if len(videos) > 1 else [])]
    return "\n".join([*lines, *_variant(videos[0], audios, groups), ""])


def role_playlist(tracks: Sequence[ReplayTrack], role: str) -> str | None:
    """One person's picture with that person's own voice; None if the person is on no track."""
    own = [track for track in tracks if role in track.roles]
    return master_playlist(own) if _playable(own) else None


def _playable(tracks: Sequence[ReplayTrack]) -> bool:
    return bool(_of_kind(tracks, Kind.VIDEO) or _of_kind(tracks, Kind.AUDIO))


def _of_kind(tracks: Sequence[ReplayTrack], kind: Kind) -> list[ReplayTrack]:
    """Tracks of a kind, the customer's first, then by role and id."""

    def order(track: ReplayTrack) -> tuple[int, str]:
        return min((ROLES.index(role) for role in track.roles), default=len(ROLES)), track.track_id

    return sorted((track for track in tracks if track.kind == kind and track.segments), key=order)


def _playlist_uri(track: ReplayTrack) -> str:
    return f"tracks/{quote(track.track_id, safe='')}/playlist.m3u8"


def _media(kind: str, group: str, track: ReplayTrack, *, first: bool) -> str:
    name = (track.label or track.track_id).translate(_NOT_IN_QUOTES)
    chosen = "YES" if first else "NO"
    return (
        f'#EXT-X-MEDIA:TYPE={kind},GROUP-ID="{group}",NAME="{name}",DEFAULT={chosen},AUTOSELECT=YES,'
        f'URI="{_playlist_uri(track)}"'
    )


def _bits(track: ReplayTrack) -> tuple[int, int]:
    """Highest and average bits a second over the segments."""
    rates = [segment.size_bytes * 8000 // max(segment.end_ms - segment.start_ms, 1) for segment in track.segments]
    length_ms = max(sum(segment.end_ms - segment.start_ms for segment in track.segments), 1)
    total = sum(segment.size_bytes for segment in track.segments)
    return max(rates, default=0), total * 8000 // length_ms


def _variant(video: ReplayTrack, audios: Sequence[ReplayTrack], groups: Sequence[str]) -> list[str]:
    loudest = max((_bits(track) for track in audios), default=(0, 0))
    peak, average = _bits(video)
    codecs = ",".join(dict.fromkeys([video.codec, *(track.codec for track in audios)]))
    attributes = [
        f"BANDWIDTH={max(peak + loudest[0], 1)}",
        f"AVERAGE-BANDWIDTH={max(average + loudest[1], 1)}",
        f'CODECS="{codecs}"',
        *([f"RESOLUTION={video.width}x{video.height}"] if video.width else []),
        *groups,
    ]
    return [f"#EXT-X-STREAM-INF:{','.join(attributes)}", _playlist_uri(video)]


def _sound_only(audios: Sequence[ReplayTrack]) -> list[str]:
    """Voices without a picture: the first is the variant, the others are alternatives."""
    if not audios:
        return []
    media = [_media("AUDIO", "voices", track, first=track is audios[0]) for track in audios]
    return [
        *(media if len(audios) > 1 else []),
        *_variant(audios[0], (), ['AUDIO="voices"'] if len(audios) > 1 else []),
    ]
