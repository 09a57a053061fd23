"""Files through PyAV (FFmpeg's demuxers): opening safely, probing, surveying.

Only demuxers of real recordings are allowed: playlists, concatenation scripts and image patterns could read other
files of this machine. Nothing is decoded here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from av.error import FFmpegError, InvalidDataError

from shuanglu_media_ingest.domain.survey import Medium, Stream, Survey
from shuanglu_media_ingest.errors import EmptyFile, FileDamaged, NoMedia, NotARecording, TimestampsBroken

if TYPE_CHECKING:
    from av.container import InputContainer

DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,live_flv,mpegts,mpeg,asf,wav,w64,aiff,au,"
    "mp3,aac,ogg,flac,amr,ac3,h264,hevc,m4v,mxf,rm,caf"
)
# Signs of a container at the file's start: such a file that cannot be opened is damaged, any other is no recording.
_SIGNATURES = (
    b"\x1aE\xdf\xa3",
    b"RIFF",
    b"FLV\x01",
    b"OggS",
    b"fLaC",
    b"ID3",
    b"\x00\x00\x01\xba",
    b"0&\xb2u\x8ef\xcf\x11",
)
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip")
_MEDIA = {"video": Medium.VIDEO, "audio": Medium.AUDIO}
OPEN_TIMEOUT_S = 10.0
PROBED_PACKETS = 50
DECODED_PACKETS = 500


@contextmanager
def opened(path: Path) -> "Iterator[InputContainer]":
    """The file, ready to be demuxed. Raises EmptyFile, NotARecording, FileDamaged; also for errors inside the block."""
    if path.stat().st_size == 0:
        raise EmptyFile
    try:
        options = {"protocol_whitelist": "file", "format_whitelist": DEMUXERS}
        container = av.open(f"file:{path}", options=options, timeout=OPEN_TIMEOUT_S)
    except (FFmpegError, ValueError, OSError) as error:
        raise (FileDamaged if _looks_like_media(path) else NotARecording) from error
    try:
        yield container
    except FFmpegError as error:
        raise FileDamaged from error
    finally:
        container.close()


@dataclass(frozen=True, slots=True)
class Probe:
    """What the head of a file tells."""

    media: frozenset[Medium]
    duration_ms: int | None  # as the container says; None if it does not


def probe(path: Path) -> Probe:
    """A quick look at the file's head. Raises what `opened` raises, and NoMedia."""
    with opened(path) as container:
        _refuse_cut_off(container, path)
        sources = _streams(container)
        media = frozenset(_MEDIA[stream.type] for stream in sources)
        duration = container.duration
        if media and not any(packet.size for packet in islice(container.demux(sources), PROBED_PACKETS)):
            raise NoMedia
    if not media:
        raise NoMedia
    return Probe(media, duration // (av.time_base // 1000) if duration else None)


def survey(path: Path) -> Survey:
    """One look through the whole file: when each packet is presented. Raises what `probe` raises, and TimestampsBroken.

    Memory: 8 bytes a packet, about 6 MB for two hours of picture and sound.
    """
    with opened(path) as container:
        _refuse_cut_off(container, path)
        sources = _streams(container)
        if not sources:
            raise NoMedia
        seen = {source.index: describe(source) for source in sources}
        for packet in container.demux(sources):
            if packet.size:
                seen[packet.stream_index].add(
                    packet.pts, packet.duration or 0, packet.size, key=packet.is_keyframe, hidden=packet.is_discard
                )
        streams = tuple(stream for stream in seen.values() if stream.usable)
        name = container.format.name
    if not streams:
        raise NoMedia
    if any(stream.runs_backwards for stream in streams):
        raise TimestampsBroken
    return Survey(name, streams)


def require_decodable(path: Path, found: Survey) -> None:
    """Streams that need a working copy must give at least one picture or sound. Raises FileDamaged.

    Asked before anything is stored or told, so that nothing has to be taken back.
    """
    for stream in found.streams:
        if stream.carried:
            continue
        with opened(path) as container:
            source = container.streams[stream.index]
            if not any(_decodes(packet) for packet in islice(container.demux(source), DECODED_PACKETS)):
                raise FileDamaged


def _decodes(packet: Any) -> bool:
    try:
        return bool(packet.decode())
    except InvalidDataError:
        return False


def describe(source: Any) -> Stream:
    """A stream as the container declares it, no packets yet."""
    context = source.codec_context
    medium = _MEDIA[source.type]
    return Stream(
        index=source.index,
        medium=medium,
        codec=context.codec.canonical_name,
        time_base=source.time_base,
        start_at=source.start_time,
        width=context.width if medium is Medium.VIDEO else 0,
        height=context.height if medium is Medium.VIDEO else 0,
        sample_rate=context.sample_rate if medium is Medium.AUDIO else 0,
    )


def _streams(container: "InputContainer") -> list[Any]:
    """Streams with picture or sound that some decoder knows; cover pictures are none."""
    return [
        stream
        for stream in container.streams
        if stream.type in _MEDIA
        and not stream.disposition & av.stream.Disposition.attached_pic
        and _is_complete(stream.codec_context)
    ]


def _is_complete(context: Any) -> bool:
    """False without a decoder, a size or a rate: such a stream is declared, but nobody can show or play it."""
    return context is not None and bool(context.width if context.type == "video" else context.sample_rate)


def _refuse_cut_off(container: "InputContainer", path: Path) -> None:
    """An MP4 whose index points behind the end of the file has lost its tail. Raises FileDamaged."""
    if "mp4" not in container.format.name:
        return
    size = path.stat().st_size
    for stream in _streams(container):
        entries = stream.index_entries
        if len(entries) and entries[len(entries) - 1].pos + entries[len(entries) - 1].size > size:
            raise FileDamaged


def _looks_like_media(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(189)
    transport_stream = len(head) == 189 and head[0] == head[188] == 0x47  # noqa: PLR2004 - packets of 188 bytes
    return head.startswith(_SIGNATURES) or head[4:8] in _MP4_BOXES or transport_stream
