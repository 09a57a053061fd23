"""What of a session's inspection is expected, has come in, or was given up.

Sets only, so order and repeats change nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from shuanglu_quality.domain.observations import Key, Recording
from shuanglu_quality.domain.words import TrackKind


def faces_key(track_id: str, segment_index: int) -> Key:
    """Work: looking at one segment."""
    return ("faces", track_id, segment_index)


def speech_key(track_id: str) -> Key:
    """Work: finding speech on one track."""
    return ("speech", track_id, 0)


def window_key(track_id: str, window_index: int) -> Key:
    """Work: recognising one window."""
    return ("window", track_id, window_index)


@dataclass(slots=True)
class Ledger:
    """Counts the work of one session."""

    done: set[Key] = field(default_factory=set)
    lost: dict[Key, str] = field(default_factory=dict)
    announced: set[Key] = field(default_factory=set)
    recording: Recording | None = None

    def expect(self, keys: Iterable[Key]) -> None:
        """Work that was told of: a stored segment, a stored track, the windows of a track."""
        self.announced.update(keys)

    def finish(self, key: Key) -> None:
        """Work that came in, whether it succeeded or says why it did not."""
        self.done.add(key)

    def give_up(self, key: Key, reason: str) -> None:
        """Work that nobody will do; what comes in all the same still counts.

        Of several reasons the first in the alphabet.
        """
        self.lost[key] = min(reason, self.lost.get(key, reason))

    def expected(self) -> frozenset[Key]:
        """All work as far as it is known; final but for windows once the recording is completed."""
        wanted = set(self.announced)
        for track in self.recording.tracks if self.recording else ():
            if track.kind is TrackKind.VIDEO:
                wanted.update(faces_key(track.track_id, index) for index in range(1, track.segment_count + 1))
            elif track.kind is TrackKind.AUDIO:
                wanted.add(speech_key(track.track_id))
        return frozenset(wanted)

    def given_up(self) -> dict[Key, str]:
        """Work that was given up and never came."""
        return {key: reason for key, reason in self.lost.items() if key not in self.done}

    @property
    def observed(self) -> int:
        """How much of the expected work has come in or was given up."""
        return len(self.expected() & (self.done | self.lost.keys()))

    @property
    def complete(self) -> bool:
        """Whether the recording is completed and all its work has come in or was given up."""
        return self.recording is not None and not self.expected() - self.done - self.lost.keys()
