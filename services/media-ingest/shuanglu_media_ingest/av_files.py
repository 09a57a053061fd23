"""Files through PyAV (FFmpeg's demuxers): opening safely, probing, surveying.

Only demuxers of real recordings are allowed: playlists, concatenation scripts and image patterns could read other
files of this machine.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from av.error import FFmpegError

from shuanglu_media_ingest import file_heads
from shuanglu_media_ingest.av_packets import Packets
from shuanglu_media_ingest.domain import limits
from shuanglu_media_ingest.domain.survey import Medium, Stream, Survey
from shuanglu_media_ingest.errors import EmptyFile, FileDamaged, MoovMissing, NoMedia, NotARecording

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


@contextmanager
def opened(path: Path) -> "Iterator[InputContainer]":
    """The file, ready to be demuxed. Raises EmptyFile, NotARecording, MoovMissing, FileDamaged; also in the block."""
    if path.stat().st_size == 0:
        raise EmptyFile
    try:
        options = {"protocol_whitelist": "file", "format_whitelist": DEMUXERS}
        container = av.open(f"file:{path}", options=options, timeout=OPEN_TIMEOUT_S)
    except (FFmpegError, ValueError, OSError) as error:
        if file_heads.lacks_index(path):
            raise MoovMissing from error
        raise (FileDamaged if file_heads.looks_like_media(path) else NotARecording) from error
    try:
        yield container
    except (FFmpegError, OverflowError) as error:
        raise FileDamaged from error
    finally:
        container.close()


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
        if not packets.joints.at_s:
            _note_promises(container, streams)
        name = container.format.name
        limits.require_duration(streams)
        return _sane(
            Survey(
                format=name,
                streams=streams,
                promised_s=None if packets.joints.at_s else _promised_s(container, path),
                breaks_off=packets.breaks_off or (name == "mpegts" and file_heads.ends_inside_a_packet(path)),
            )
        )


def _note_promises(container: "InputContainer", streams: Iterable[Stream]) -> None:
    """Where the container's index says that each stream ends."""
    name = container.format.name
    for stream in streams:
        source = container.streams[stream.index]
        if "mp4" in name and source.duration:
            stream.promised_end = (source.start_time or 0) + source.duration
        elif name == "avi" and stream.medium is Medium.VIDEO and source.frames:
            stream.promised_end = (source.start_time or 0) + source.frames


def _promised_s(container: "InputContainer", path: Path) -> Fraction | None:
    """Where the container says that the file ends, if the container says it and nobody guessed."""
    if container.format.name == "wav":
        return file_heads.wav_length_s(path)
    if container.duration and file_heads.notes_its_length(path, container.format.name):
        return Fraction(container.duration, av.time_base)
    return None


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
