"""Files through PyAV (FFmpeg's demuxers): opening safely, probing, surveying.

Only demuxers of real recordings are allowed: playlists, concatenation scripts and image patterns could read other
files of this machine.
"""

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from av.error import FFmpegError

from shuanglu_media_ingest.domain import limits
from shuanglu_media_ingest.domain.boxes import BoxError
from shuanglu_media_ingest.domain.survey import PROMISE_S, Medium, Stream, Survey
from shuanglu_media_ingest.errors import EmptyFile, FileDamaged, MoovMissing, NoMedia, NotARecording
from shuanglu_media_ingest.reading import file_heads
from shuanglu_media_ingest.reading.av_packets import Packets

if TYPE_CHECKING:
    from av.container import InputContainer

DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,live_flv,mpegts,mpeg,asf,wav,w64,aiff,au,"
    "mp3,aac,ogg,flac,amr,ac3,h264,hevc,m4v,mxf,rm,caf"
)
_MEDIA = {"video": Medium.VIDEO, "audio": Medium.AUDIO}
OPEN_TIMEOUT_S = 10.0
PROBED_PACKETS = 50
DECODED_PACKETS = 500
# FFmpeg's name for the first bytes of a file.
_PART = "subfile,,start,0,end,"
# Containers that count their packets or samples know their length well.
_SLACK_S = {
    "wav": Fraction(1, 50),
    "mov": Fraction(3, 10),
    "avi": Fraction(3, 10),
    "mp3": Fraction(3, 10),
    "ogg": Fraction(3, 10),
}


@contextmanager
def opened(path: Path) -> "Iterator[InputContainer]":
    """The file, ready to be demuxed. Raises EmptyFile, NotARecording, MoovMissing, FileDamaged; also in the block."""
    if path.stat().st_size == 0:
        raise EmptyFile
    try:
        container = _open(path)
    except (FFmpegError, ValueError, OSError) as error:
        if file_heads.lacks_index(path):
            raise MoovMissing from error
        raise (FileDamaged if file_heads.looks_like_media(path) else NotARecording) from error
    try:
        yield container
    except (FFmpegError, OverflowError, BoxError) as error:
        raise FileDamaged from error
    finally:
        container.close()


def _open(path: Path) -> "InputContainer":
    """A fragmented MP4 with a damaged description of a fragment is opened up to there: as much of it as can be."""
    try:
        return _open_url(f"file:{path}")
    except (FFmpegError, ValueError, OSError):
        ends = file_heads.fragment_ends(path)
        good = bisect_left(ends, x=True, key=lambda end: not _opens(path, end))
        if not good:
            raise
        return _open_url(f"{_PART}{ends[good - 1]},,:{path}")


def _opens(path: Path, end: int) -> bool:
    try:
        _open_url(f"{_PART}{end},,:{path}").close()
    except (FFmpegError, ValueError, OSError):
        return False
    return True


def _open_url(url: str) -> "InputContainer":
    options = {"protocol_whitelist": "file,subfile", "format_whitelist": DEMUXERS}
    return av.open(url, options=options, timeout=OPEN_TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class Probe:
    """What the head of a file tells."""

    media: frozenset[Medium]
    duration_ms: int | None  # as the container says; None if it does not


def probe(path: Path) -> Probe:
    """A quick look at the file's head. Raises what `opened` raises, NoMedia and RecordingTooLarge."""
    with opened(path) as container:
        sources = media_streams(container)
        limits.require_streams(describe(source) for source in sources)
        media = frozenset(_MEDIA[stream.type] for stream in sources)
        duration = container.duration
        if media and not any(True for _ in islice(Packets(container, sources), PROBED_PACKETS)):
            raise NoMedia
    if not media:
        raise NoMedia
    return Probe(media, duration // (av.time_base // 1000) if duration else None)


def survey(path: Path) -> Survey:
    """One look through the whole file: when each packet is presented.

    Raises what `probe` raises, and TimestampsBroken. Memory: 8 bytes a packet, about 6 MB for two hours of picture
    and sound.
    """
    with opened(path) as container:
        sources = media_streams(container)
        if not sources:
            raise NoMedia
        seen = {source.index: describe(source) for source in sources}
        limits.require_streams(seen.values())
        packets = Packets(container, sources)
        for packet in packets:
            seen[packet.stream_index].add(
                packet.pts, packet.duration or 0, packet.size, key=packet.is_keyframe, hidden=packet.is_discard
            )
        streams = tuple(stream for stream in seen.values() if stream.usable)
        if not streams:
            raise FileDamaged if any(packets.faults.values()) else NoMedia
        name = container.format.name
        limits.require_duration(streams)
        found = Survey(
            format=name,
            streams=streams,
            promise_slack_s=_SLACK_S.get(name.split(",")[0], PROMISE_S),
            breaks_off=packets.breaks_off or container.name.startswith(_PART) or file_heads.breaks_off(path, name),
        )
        if not packets.joints.at_s:
            found = _with_promises(found, container, path)
        return _sane(found)


def _with_promises(found: Survey, container: "InputContainer", path: Path) -> Survey:
    """With what the container says about its end, if the container says it and nobody guessed."""
    name = container.format.name
    promised_s = None
    if "mp4" in name:
        fragmented = file_heads.is_fragmented(path)
        for stream in found.streams:
            source = container.streams[stream.index]
            if source.duration and not fragmented:
                stream.promised_end = (source.start_time or 0) + source.duration
    elif name == "avi":
        ends = [
            ((source.start_time or 0) + source.frames) * source.time_base
            for source in container.streams.video
            if source.frames and source.time_base
        ]
        seen = max(stream.ends_s for stream in found.streams)
        # Its sound may well be shorter; only where pictures are missing the file is cut.
        promised_s = next((end for end in ends if end - seen > found.promise_slack_s), None)
    elif name == "wav":
        promised_s = file_heads.wav_length_s(path)
    elif container.duration and file_heads.notes_its_length(path, name):
        promised_s = Fraction(container.duration, av.time_base)
    return replace(found, promised_s=promised_s)


def _sane(found: Survey) -> Survey:
    """A promise of more than a day is none: then it is only known that the file breaks off."""
    if found.ends_s - found.origin <= limits.MAX_DURATION_S:
        return found
    for stream in found.streams:
        stream.promised_end = None
    return replace(found, promised_s=None, breaks_off=True)


def require_decodable(path: Path, found: Survey) -> Survey:
    """What is left of a survey without the streams that need a working copy and give not one picture or sound.

    Asked before anything is stored or told, so that nothing has to be taken back. Raises FileDamaged if none is left.
    """
    kept = tuple(stream for stream in found.streams if stream.carried or _gives_something(path, stream.index))
    if not kept:
        raise FileDamaged
    return replace(found, streams=kept)


def _gives_something(path: Path, index: int) -> bool:
    with opened(path) as container:
        source = container.streams[index]
        return any(_decodes(packet) for packet in islice(Packets(container, [source]), DECODED_PACKETS))


def _decodes(packet: Any) -> bool:
    try:
        return bool(packet.decode())
    except MemoryError:  # the file's need, not its damage: the reader's limit is told
        raise
    except (FFmpegError, ValueError):
        return False


def describe(source: Any) -> Stream:
    """A stream as the container declares it, no packets yet."""
    context = source.codec_context
    medium = _MEDIA[source.type]
    sound = medium is Medium.AUDIO
    return Stream(
        index=source.index,
        medium=medium,
        codec=context.codec.canonical_name,
        time_base=source.time_base,
        start_at=source.start_time,
        width=0 if sound else context.width,
        height=0 if sound else context.height,
        sample_rate=context.sample_rate if sound else 0,
        channels=context.layout.nb_channels if sound else 0,
        language=source.language or "",
    )


def media_streams(container: "InputContainer") -> list[Any]:
    """Streams with picture or sound that some decoder knows; cover pictures are none."""
    return [
        stream
        for stream in container.streams
        if stream.type in _MEDIA
        and not stream.disposition & av.stream.Disposition.attached_pic
        and _is_complete(stream)
    ]


def _is_complete(stream: Any) -> bool:
    """False without a decoder, a size, a rate or a clock: such a stream is declared, but nobody can show or play it."""
    context = stream.codec_context
    if context is None or not stream.time_base or stream.time_base < 0:
        return False
    return bool(context.width if context.type == "video" else context.sample_rate)
