"""Which of a file's streams become tracks: all as they are, unless the import chooses, mixes or splits its sound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from shuanglu_media_ingest.domain.survey import Medium, Stream, Survey
from shuanglu_media_ingest.errors import AudioSelectionInvalid

EVERYBODY = -1
# ISO 639-2 has two codes for some languages, ISO 639-1 a shorter one; containers use any.
_SAME_LANGUAGE = {"zh": "zho", "chi": "zho", "cmn": "zho", "en": "eng"}


@dataclass(frozen=True, slots=True)
class AudioChoice:
    """What an import says about a file's sound: one of these, or nothing."""

    stream: int = 0  # only this audio stream, from 1
    language: str = ""  # only the first stream of this language
    mixed: bool = False  # all streams as one track
    speakers: tuple[int, ...] = ()  # of each channel of the first stream: which of the file's people, from 0

    @classmethod
    def from_json(cls, values: Mapping[str, Any] | None) -> Self | None:
        """What `asdict` gave; None for imports that say nothing."""
        if values is None:
            return None
        return cls(values["stream"], values["language"], values["mixed"], tuple(values["speakers"]))


@dataclass(frozen=True, slots=True)
class Part:
    """What becomes one track: a stream, one channel of it, or several that are mixed."""

    streams: tuple[Stream, ...]
    channel: int = 0  # from 1; 0 for all
    speaker: int = EVERYBODY  # which of the file's people

    @property
    def medium(self) -> Medium:
        """All streams of a part carry the same."""
        return self.streams[0].medium


def parts(found: Survey, choice: AudioChoice | None) -> tuple[Part, ...]:
    """What becomes a track; pictures before chosen sound. Raises AudioSelectionInvalid."""
    audio = tuple(stream for stream in found.streams if stream.medium is Medium.AUDIO)
    video = tuple(Part((stream,)) for stream in found.streams if stream.medium is Medium.VIDEO)
    if choice is None or choice == AudioChoice():
        return tuple(Part((stream,)) for stream in found.streams)
    if not audio:
        raise AudioSelectionInvalid("The file has no sound.")
    if choice.mixed:
        return (*video, Part(audio))
    if choice.speakers:
        return (*video, *_channels(audio[0], choice.speakers))
    return (*video, Part((_chosen(audio, choice),)))


def _chosen(audio: Sequence[Stream], choice: AudioChoice) -> Stream:
    if choice.stream:
        if not 1 <= choice.stream <= len(audio):
            raise AudioSelectionInvalid(f"The file has {len(audio)} audio streams, asked was for {choice.stream}.")
        return audio[choice.stream - 1]
    for stream in audio:
        if stream.language and _code(stream.language) == _code(choice.language):
            return stream
    raise AudioSelectionInvalid(f"Audio languages of the file: {', '.join(each.language or '?' for each in audio)}.")


def _code(language: str) -> str:
    short = language.lower().split("-")[0]
    return _SAME_LANGUAGE.get(short, short)


def _channels(stream: Stream, speakers: Sequence[int]) -> list[Part]:
    if stream.channels != len(speakers):
        raise AudioSelectionInvalid(f"The sound has {stream.channels} channels, {len(speakers)} speakers are named.")
    return [Part((stream,), channel, speaker) for channel, speaker in enumerate(speakers, start=1)]


def track_ids(files: Sequence[tuple[Sequence[str], Sequence[Part]]]) -> list[list[str]]:
    """A name for each part of each file, unique in the session: `<role>-<medium>`, `shared-…` for several people.

    `files`: roles in the file (lower case), and its parts. The second of a name gets `-2`. Depends on nothing else.
    """
    taken: dict[str, int] = {}
    names: list[list[str]] = []
    for roles, found in files:
        names.append([])
        for part in found:
            own = roles if part.speaker == EVERYBODY else [roles[part.speaker]]
            prefix = own[0].replace("_", "-") if len(own) == 1 else "shared"
            base = f"{prefix}-{part.medium}"
            taken[base] = taken.get(base, 0) + 1
            names[-1].append(base if taken[base] == 1 else f"{base}-{taken[base]}")
    return names
