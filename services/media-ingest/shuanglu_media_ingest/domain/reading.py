"""What is read out of a file, as plain values: the same whether they come from this process or from a child."""

from dataclasses import dataclass

from shuanglu_media_ingest.domain.gaps import Gap
from shuanglu_media_ingest.domain.survey import Medium


@dataclass(slots=True)
class ReadTrack:
    """One track. End, number of segments and gaps are known when its file is read to the end."""

    track_id: str
    medium: Medium
    codec: str  # as in RFC 6381
    init: bytes
    start_ms: int
    width: int  # as shown; 0 for sound
    height: int
    sample_rate: int  # 0 for pictures
    derived: bool  # encoded anew
    speaker: int  # which of the file's people is on it alone, from 0; -1 for all of them
    end_ms: int = 0
    segment_count: int = 0
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadPiece:
    """A segment of a track; `index` from 1."""

    track: ReadTrack
    index: int
    data: bytes
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Examined:
    """What one look through all files of an import tells. `end_ms`: where the session ends."""

    end_ms: int
    segment_bytes: int  # that will be stored, as far as can be told


@dataclass(frozen=True, slots=True)
class Probed:
    """What the head of a file tells; None if its container does not say how long it lasts."""

    duration_ms: int | None
