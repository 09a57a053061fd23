"""What models saw and heard, as the rules need it.

One identity (`key`) is one piece of work: the same work again changes nothing.
"""

from dataclasses import dataclass

from shuanglu_quality.domain.intervals import Interval, merge, subtract
from shuanglu_quality.domain.words import GapCause, ModelRef, Role, TrackKind

Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the frame."""

    x: float
    y: float
    width: float
    height: float

    def overlap_ratio(self, other: "Box") -> float:
        """Intersection over union, 0..1."""
        wide = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        high = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        if wide <= 0 or high <= 0:
            return 0.0
        both = wide * high
        union = self.width * self.height + other.width * other.height - both
        return both / union if union > 0 else 0.0


@dataclass(frozen=True, slots=True)
class FaceSeen:
    """One face; similarities are cosines -1..1 and None where nothing was compared."""

    box: Box
    score: float
    id_photo_similarity: float | None = None
    reference_similarity: float | None = None


@dataclass(frozen=True, slots=True)
class FrameSeen:
    """One sampled frame; brightness and contrast are luma's mean and deviation 0..1, motion its mean change 0..1."""

    at_ms: int
    faces: tuple[FaceSeen, ...]
    brightness: float
    contrast: float
    motion: float | None = None
    width: int = 0  # pixels, where they are not the segment's
    height: int = 0


@dataclass(frozen=True, slots=True)
class FacesSeen:
    """What was seen in one segment of a video track; no frames and a reason if it could not be examined."""

    track_id: str
    segment_index: int
    roles: tuple[Role, ...]
    interval: Interval
    frames: tuple[FrameSeen, ...] = ()
    models: tuple[ModelRef, ...] = ()
    failure_reason: str = ""
    frame_width: int = 0
    frame_height: int = 0

    @property
    def key(self) -> Key:
        """Identity of the work."""
        return ("faces", self.track_id, self.segment_index)


@dataclass(frozen=True, slots=True)
class Level:
    """Loudness of a stretch in dBFS, -120..0; digital silence is -120."""

    interval: Interval
    rms_dbfs: float
    peak_dbfs: float


@dataclass(frozen=True, slots=True)
class SpeechHeard:
    """Where somebody speaks on an audio track, and how loud it is."""

    track_id: str
    roles: tuple[Role, ...]
    interval: Interval
    turns: tuple[Interval, ...] = ()
    loudness: tuple[Level, ...] = ()
    window_count: int = 0
    models: tuple[ModelRef, ...] = ()
    failure_reason: str = ""
    unheard: tuple[Interval, ...] = ()  # damaged sound that nobody could decode

    @property
    def key(self) -> Key:
        """Identity of the work."""
        return ("speech", self.track_id, 0)


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word and its place."""

    text: str
    interval: Interval


@dataclass(frozen=True, slots=True)
class Said:
    """One utterance.

    `role` is None where it could not be told; `answer_text` is the second decoding, empty if there is none.
    """

    interval: Interval
    role: Role | None
    text: str
    answer_text: str = ""
    confidence: float = 1.0
    words: tuple[Word, ...] = ()
    language: str = "zh"
    track_id: str = ""


@dataclass(frozen=True, slots=True)
class WindowPlanned:
    """A window that will be recognised; tells where it lies should nothing come of it."""

    track_id: str
    window_index: int
    turns: tuple[Interval, ...]

    @property
    def key(self) -> Key:
        """Identity of the work."""
        return ("plan", self.track_id, self.window_index)


@dataclass(frozen=True, slots=True)
class WindowHeard:
    """What was said in one window of an audio track."""

    track_id: str
    window_index: int
    interval: Interval
    utterances: tuple[Said, ...] = ()
    models: tuple[ModelRef, ...] = ()
    failure_reason: str = ""

    @property
    def key(self) -> Key:
        """Identity of the work."""
        return ("window", self.track_id, self.window_index)


Observation = FacesSeen | SpeechHeard | WindowPlanned | WindowHeard


@dataclass(frozen=True, slots=True)
class Track:
    """One track of the finished recording."""

    track_id: str
    kind: TrackKind
    roles: tuple[Role, ...]
    interval: Interval
    segment_count: int


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of a track without media; an empty one where it is not known how much is gone."""

    track_id: str
    interval: Interval
    cause: GapCause = GapCause.MISSING


@dataclass(frozen=True, slots=True)
class TimelineNode:
    """When a node was performed; takes count from 1."""

    node_id: str
    interval: Interval
    take: int = 1


@dataclass(frozen=True, slots=True)
class Recording:
    """The finished recording as media-ingest reports it."""

    tracks: tuple[Track, ...]
    duration_ms: int
    gaps: tuple[Gap, ...] = ()
    timeline: tuple[TimelineNode, ...] = ()
    has_id_photo: bool = False
    live: bool = False  # of a call, not of files: people come and go around the nodes
    expected: tuple[Role, ...] = ()  # whom the session was made with

    @property
    def interval(self) -> Interval:
        """The whole session."""
        return Interval(0, self.duration_ms)

    def tracks_of(self, kind: TrackKind, role: Role | None = None) -> tuple[Track, ...]:
        """Tracks of a kind, with a role on them if one is asked for."""
        return tuple(track for track in self.tracks if track.kind is kind and (role is None or role in track.roles))

    def readable(self, track: Track) -> tuple[Interval, ...]:
        """Where the track has media: its length without its gaps."""
        return subtract((track.interval,), (gap.interval for gap in self.gaps if gap.track_id == track.track_id))

    def damaged(self, track: Track) -> tuple[Interval, ...]:
        """Where the track had media that nobody can read any more; also behind its last readable moment."""
        return merge(
            gap.interval for gap in self.gaps if gap.track_id == track.track_id and gap.cause is GapCause.DAMAGED
        )

    def recorded(self, track: Track) -> tuple[Interval, ...]:
        """Where something was recorded, readable or not."""
        return merge((*self.readable(track), *self.damaged(track)))
