"""Sampled frames of the session in time order: what each check of the picture looks at."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from shuanglu_quality.domain.examined import choose
from shuanglu_quality.domain.findings import EvidenceFrame
from shuanglu_quality.domain.intervals import Interval
from shuanglu_quality.domain.observations import FaceSeen, FacesSeen, FrameSeen, Key, Observation
from shuanglu_quality.domain.words import Role

# A frame this dark, or this flat, shows nothing that could be judged.
_BLACK_BRIGHTNESS, _BLACK_CONTRAST = 0.06, 0.04
_FLAT_CONTRAST = 0.012
# A sample stands for the time until the next one, at most this many sampling steps.
_HOLD_STEPS = 2
_SAME_FACE_OVERLAP = 0.4


@dataclass(frozen=True, slots=True)
class Sample:
    """One frame and the stretch that it stands for."""

    track_id: str
    roles: tuple[Role, ...]
    interval: Interval
    frame: FrameSeen
    width: int
    height: int

    @property
    def blank(self) -> bool:
        """Whether the frame is black or flat: `recording_quality` tells of it, no other check judges it."""
        frame = self.frame
        black = frame.brightness <= _BLACK_BRIGHTNESS and frame.contrast <= _BLACK_CONTRAST
        return black or frame.contrast <= _FLAT_CONTRAST

    @property
    def shared(self) -> bool:
        """Whether several participants are on the track."""
        return len(self.roles) > 1

    def faces(self, min_px: float, min_score: float) -> tuple[FaceSeen, ...]:
        """Faces that are large and certain enough, largest first; a second box on the same face counts once."""
        kept: list[FaceSeen] = []
        for face in sorted(self.frame.faces, key=lambda one: (-one.box.width * one.box.height, one.box.x, one.box.y)):
            large = min(face.box.width, face.box.height) >= min_px and face.score >= min_score
            if large and all(face.box.overlap_ratio(other.box) < _SAME_FACE_OVERLAP for other in kept):
                kept.append(face)
        return tuple(kept)

    def show(self, face: FaceSeen | None = None) -> EvidenceFrame:
        """This frame as evidence: one face to look at, the others blurred; without a face the whole frame."""
        if face is None:
            return EvidenceFrame(self.track_id, self.frame.at_ms)
        blur = tuple(other.box for other in self.frame.faces if other.box.overlap_ratio(face.box) < _SAME_FACE_OVERLAP)
        return EvidenceFrame(self.track_id, self.frame.at_ms, face.box, blur)


@dataclass(slots=True)
class Reel:
    """Folds FacesSeen into samples. Repeats and order change nothing."""

    segments: dict[Key, FacesSeen] = field(default_factory=dict)

    def add(self, observation: Observation) -> None:
        """Takes what was seen in a segment; what was heard is ignored."""
        if isinstance(observation, FacesSeen):
            self.segments[observation.key] = choose(self.segments.get(observation.key), observation)

    def samples(self, step_ms: int) -> dict[str, tuple[Sample, ...]]:
        """Samples of each track in time order. `step_ms` is the strategy's sampling step."""
        tracks: dict[str, list[FacesSeen]] = {}
        for seen in self.segments.values():
            tracks.setdefault(seen.track_id, []).append(seen)
        return {track: tuple(_held(segments, step_ms)) for track, segments in sorted(tracks.items())}


def _held(segments: Iterable[FacesSeen], step_ms: int) -> Iterable[Sample]:
    ordered = sorted(
        ((frame, seen) for seen in segments for frame in seen.frames), key=lambda pair: (pair[0].at_ms, pair[1].key)
    )
    for at, (frame, seen) in enumerate(ordered):
        following = ordered[at + 1][0].at_ms if at + 1 < len(ordered) else frame.at_ms + step_ms
        end = max(frame.at_ms, min(following, frame.at_ms + _HOLD_STEPS * step_ms))
        width, height = frame.width or seen.frame_width, frame.height or seen.frame_height
        yield Sample(seen.track_id, seen.roles, Interval(frame.at_ms, end), frame, width, height)


def of_role(samples: dict[str, tuple[Sample, ...]], role: Role) -> list[Sample]:
    """Samples of the tracks that a role is on, by time."""
    chosen = [sample for track in samples.values() for sample in track if role in sample.roles]
    return sorted(chosen, key=lambda sample: (sample.interval, sample.track_id))


def runs(samples: Iterable[Sample], marked: Iterable[bool]) -> list[list[Sample]]:
    """Unbroken stretches of marked samples of one track. Samples that are apart in time are not joined."""
    found: list[list[Sample]] = []
    open_run = False
    last_end = -1
    for sample, mark in zip(samples, marked, strict=True):
        if mark and open_run and sample.interval.start_ms <= last_end:
            found[-1].append(sample)
        elif mark:
            found.append([sample])
        open_run, last_end = mark, sample.interval.end_ms
    return found
