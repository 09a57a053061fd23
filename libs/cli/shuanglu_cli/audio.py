"""Which sound of a file counts, in the words of `--audio` and of a manifest's column `audio`."""

from collections.abc import Iterable
from pathlib import Path

from shuanglu.common.v1.types_pb2 import ParticipantRole
from shuanglu.media.v1.import_service_pb2 import AudioChannels, AudioSelection
from shuanglu_cli.errors import Usage
from shuanglu_cli.recording import ROLE_PREFIX, Roles, participants_of, read_role

MAX_STREAMS = 16  # of a file that media-ingest takes
LANGUAGE_LENGTHS = (2, 3)  # ISO 639-1, ISO 639-2 and -3
WAYS = "mixed, stream=2, language=zho or channels=AGENT,CUSTOMER"


def read_audio(text: str) -> AudioSelection:
    """`mixed`, `stream=N` (from 1), `language=CODE` or `channels=ROLE,ROLE` from the left on; `+` parts roles, too.

    Raises Usage.
    """
    word, equals, value = (part.strip() for part in text.partition("="))
    match word.lower(), bool(equals):
        case "mixed", False:
            return AudioSelection(mixed=True)
        case "stream", True:
            return AudioSelection(stream=_stream(value))
        case "language", True:
            return AudioSelection(language=_language(value))
        case "channels", True:
            return AudioSelection(channels=AudioChannels(speakers=participants_of(_speakers(value))))
    raise Usage(f"{text[:40]!r} does not say which sound counts", "", f"give {WAYS}", "BAD_AUDIO")


def require_speakers(audio: AudioSelection | None, files: Iterable[tuple[Path, Roles]]) -> None:
    """Whoever has a channel must be in each file. Raises Usage."""
    for file, roles in files:
        for speaker in audio.channels.speakers if audio else ():
            if speaker.role not in roles:
                raise Usage(
                    f"{_name(speaker.role)} has a channel but is not in {file.name}",
                    "",
                    "name everybody who is in it: FILE:CUSTOMER,AGENT, in a manifest the column roles",
                    "SPEAKER_NOT_IN_FILE",
                )


def _stream(value: str) -> int:
    if value.isascii() and value.isdigit() and 1 <= int(value[:20]) <= MAX_STREAMS:
        return int(value)
    raise Usage(f"stream={value[:20]}: audio streams are counted from 1 to {MAX_STREAMS}", "", "", "BAD_AUDIO")


def _language(value: str) -> str:
    if value.isascii() and value.isalpha() and len(value) in LANGUAGE_LENGTHS:
        return value.lower()
    raise Usage(f"language={value[:20]} is not a code of ISO 639", "", "give one such as zho or eng", "BAD_AUDIO")


def _speakers(value: str) -> Roles:
    roles = tuple(read_role(role) for role in value.replace("+", ",").split(","))
    for role in roles:
        if roles.count(role) > 1:
            raise Usage(f"{_name(role)} has more than one channel", "", "name each speaker once", "BAD_AUDIO")
    return roles


def _name(role: ParticipantRole.ValueType) -> str:
    return ParticipantRole.Name(role).removeprefix(ROLE_PREFIX)
