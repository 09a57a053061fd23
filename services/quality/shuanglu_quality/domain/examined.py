"""Which part of the recording models have examined, and why the rest was not. What nobody looked at can never pass."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from shuanglu_quality.domain.intervals import Interval, intersect, merge, subtract
from shuanglu_quality.domain.observations import (
    FacesSeen,
    Key,
    Observation,
    Recording,
    SpeechHeard,
    Track,
    WindowHeard,
    WindowPlanned,
)
from shuanglu_quality.domain.words import ModelRef, Role, TrackKind

NOT_EXAMINED = "NOT_EXAMINED"
NOT_RECORDED = "NOT_RECORDED"
DAMAGED = "DAMAGED"
SOUND_UNREADABLE = "SOUND_UNREADABLE"
# Segment borders and the last sample of a codec's frame differ by less than this; it is no hole.
_TOLERANCE_MS = 250
Seen = TypeVar("Seen", FacesSeen, SpeechHeard, WindowPlanned, WindowHeard)


@dataclass(frozen=True, slots=True)
class Missing:
    """A stretch of a track that was recorded and not examined, with a stable reason."""

    track: Track
    interval: Interval
    reason: str


def choose(old: Seen | None, new: Seen) -> Seen:
    """Which of two results of the same work counts: one that succeeded, else the one that sorts first.

    Order does not matter.
    """
    if old is None or old == new:
        return new
    return min(old, new, key=lambda one: (bool(getattr(one, "failure_reason", "")), repr(one)))


@dataclass(slots=True)
class Examined:
    """Folds all observations; `lost` names work that was given up, with the reason."""

    lost: Mapping[Key, str] = field(default_factory=dict)
    _faces: dict[Key, FacesSeen] = field(default_factory=dict)
    _speech: dict[str, SpeechHeard] = field(default_factory=dict)
    _plans: dict[Key, WindowPlanned] = field(default_factory=dict)
    _windows: dict[Key, WindowHeard] = field(default_factory=dict)

    def add(self, observation: Observation) -> None:
        """Takes one observation; repeats and order change nothing."""
        match observation:
            case FacesSeen():
                self._faces[observation.key] = choose(self._faces.get(observation.key), observation)
            case SpeechHeard():
                track = observation.track_id
                self._speech[track] = choose(self._speech.get(track), observation)
            case WindowPlanned():
                self._plans[observation.key] = choose(self._plans.get(observation.key), observation)
            case WindowHeard():
                self._windows[observation.key] = choose(self._windows.get(observation.key), observation)

    def missing(self, recording: Recording) -> tuple[Missing, ...]:
        """Everything that was recorded and not examined, by track and time."""
        found: list[Missing] = []
        for track in sorted(recording.tracks, key=lambda one: one.track_id):
            if track.kind is TrackKind.VIDEO:
                found.extend(self._missing_picture(recording, track))
            elif track.kind is TrackKind.AUDIO:
                found.extend(self._missing_sound(recording, track))
            if track.kind is not TrackKind.SCREEN:
                found.extend(Missing(track, part, DAMAGED) for part in recording.damaged(track))
        return tuple(found)

    def models(self, kind: TrackKind, role: Role | None = None) -> tuple[ModelRef, ...]:
        """Models that examined tracks of a kind, of one role if asked for."""
        if kind is TrackKind.VIDEO:
            used = [
                model for seen in self._faces.values() if role is None or role in seen.roles for model in seen.models
            ]
        else:
            tracks = {track for track, heard in self._speech.items() if role is None or role in heard.roles}
            used = [model for heard in self._speech.values() if heard.track_id in tracks for model in heard.models]
            used += [model for heard in self._windows.values() if heard.track_id in tracks for model in heard.models]
        return tuple(sorted(set(used)))

    def turns(self) -> dict[str, tuple[Interval, ...]]:
        """Where voice activity was found, by track."""
        return {track: heard.turns for track, heard in self._speech.items() if not heard.failure_reason}

    def _missing_picture(self, recording: Recording, track: Track) -> list[Missing]:
        segments = [seen for seen in self._faces.values() if seen.track_id == track.track_id]
        examined = [seen.interval for seen in segments if not seen.failure_reason]
        failed = {seen.interval: seen.failure_reason for seen in segments if seen.failure_reason}
        given_up = next(
            (self.lost[key] for key in sorted(self.lost) if key[:2] == ("faces", track.track_id)), NOT_EXAMINED
        )
        return _holes(recording, track, examined, failed, given_up)

    def _missing_sound(self, recording: Recording, track: Track) -> list[Missing]:
        speech = self._speech.get(track.track_id)
        given_up = self.lost.get(("speech", track.track_id, 0), NOT_EXAMINED)
        if speech is None or speech.failure_reason:
            reason = speech.failure_reason if speech else given_up
            return [Missing(track, part, reason) for part in recording.readable(track)]
        missing = _holes(recording, track, [speech.interval], {}, given_up)
        missing.extend(Missing(track, part, SOUND_UNREADABLE) for part in intersect(speech.unheard, [track.interval]))
        for index in range(speech.window_count):
            missing.extend(self._missing_window(track, speech, index))
        return missing

    def _missing_window(self, track: Track, speech: SpeechHeard, index: int) -> list[Missing]:
        key = ("window", track.track_id, index)
        heard = self._windows.get(key)
        if heard is not None and not heard.failure_reason:
            return []
        plan = self._plans.get(("plan", track.track_id, index))
        if plan is not None:
            turns = plan.turns
        elif heard is not None:
            turns = (heard.interval,)
        else:
            known = [window.interval for window in self._windows.values() if window.track_id == track.track_id]
            turns = subtract(speech.turns, known)
        reason = heard.failure_reason if heard else self.lost.get(key, NOT_EXAMINED)
        return [Missing(track, turn, reason) for turn in turns]


def _holes(
    recording: Recording, track: Track, examined: list[Interval], failed: Mapping[Interval, str], default: str
) -> list[Missing]:
    holes = subtract(recording.readable(track), merge(examined, _TOLERANCE_MS))
    found: list[Missing] = []
    for hole in holes:
        if hole.duration_ms <= _TOLERANCE_MS:
            continue
        known = [
            (part, reason) for interval, reason in sorted(failed.items()) for part in intersect([hole], [interval])
        ]
        found.extend(Missing(track, part, reason) for part, reason in known)
        rest = subtract([hole], [part for part, _ in known])
        found.extend(Missing(track, part, default) for part in rest if part.duration_ms > _TOLERANCE_MS)
    return sorted(found, key=lambda one: one.interval)
