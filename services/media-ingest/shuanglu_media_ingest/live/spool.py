"""The spool: one folder a session, `<tenant>/<session_id>/`, shared with the media server that writes the media files.

recording.json   who takes part; written by OpenRecording
close.json       written by CloseRecording
journal          what is confirmed, what is told, where to go on (journal.py)
<participant_id>~<connection>-audio-0.mjr, -video-1.mjr, …   by the media server; never written by us
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from google.protobuf.json_format import MessageToJson, Parse, ParseError

from shuanglu.media.v1.recorder_service_pb2 import CloseRecordingRequest, OpenRecordingRequest
from shuanglu_common.bus.subjects import SESSION_ID, TENANT
from shuanglu_media_ingest.live.durable import sync_folder, write_durably

MEDIA_FILE = re.compile(
    r"(?P<participant>[a-z0-9][a-z0-9_-]{0,31})~(?P<connection>[0-9]{1,9})-(?P<kind>audio|video)-(?P<line>[0-9]{1,4})\.mjr"
)


@dataclass(frozen=True, slots=True, order=True)
class MediaFile:
    """One file of the media server. In the order in which a participant's files follow each other."""

    participant_id: str
    kind: str  # audio, video
    connection: int
    line: int
    name: str

    @property
    def track_id(self) -> str:
        """Track that it belongs to."""
        return f"{self.participant_id}-{self.kind}"


def media_file(name: str) -> MediaFile | None:
    """What a file's name says; None if it is none of a media server."""
    match = MEDIA_FILE.fullmatch(name)
    if match is None:
        return None
    return MediaFile(match["participant"], match["kind"], int(match["connection"]), int(match["line"]), name)


@dataclass(frozen=True, slots=True)
class SessionFolder:
    """A session's folder in the spool."""

    root: Path
    tenant: str
    session_id: str

    @property
    def path(self) -> Path:
        """The folder."""
        return self.root / self.tenant / self.session_id

    @property
    def journal(self) -> Path:
        """What is confirmed."""
        return self.path / "journal"

    @property
    def prefix(self) -> str:
        """As the media server must name it: relative to its folder, which is ours."""
        return f"{self.tenant}/{self.session_id}/"

    def keep_open(self, request: OpenRecordingRequest) -> None:
        """Durable on return. Raises OSError."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_durably(self.path / "recording.json", MessageToJson(request).encode())
        for folder in (self.path.parent, self.root):
            sync_folder(folder)

    def keep_close(self, request: CloseRecordingRequest) -> None:
        """Durable on return. Raises OSError."""
        write_durably(self.path / "close.json", MessageToJson(request).encode())

    def opened(self) -> OpenRecordingRequest | None:
        """What was kept; None if there is none."""
        try:
            return Parse((self.path / "recording.json").read_text(), OpenRecordingRequest(), ignore_unknown_fields=True)
        except (OSError, ParseError):
            return None

    def closed(self) -> CloseRecordingRequest | None:
        """What was kept; None if the recording is open."""
        try:
            return Parse((self.path / "close.json").read_text(), CloseRecordingRequest(), ignore_unknown_fields=True)
        except (OSError, ParseError):
            return None

    def media(self) -> Iterator[tuple[MediaFile, int]]:
        """The media server's files and their sizes, in no order. Nothing if the folder is gone."""
        try:
            entries = os.scandir(self.path)
        except FileNotFoundError:
            return
        with entries:
            for entry in entries:
                file = media_file(entry.name)
                if file is not None:
                    yield file, entry.stat().st_size

    def remove(self) -> None:
        """All of it. Only after everything was confirmed and told."""
        # What makes it a recording goes first: half a folder must not come to life again.
        (self.path / "recording.json").unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)


class LiveSpool:
    """All sessions of this recorder."""

    def __init__(self, root: Path) -> None:
        """`root` is made if it is not there."""
        self.root = root
        self._lock: IO[bytes] | None = None

    def take(self) -> bool:
        """Make it ours alone, until this process ends. False if another recorder has it. Raises OSError."""
        self.root.mkdir(parents=True, exist_ok=True)
        lock = (self.root / ".lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def folder(self, tenant: str, session_id: str) -> SessionFolder:
        """A session's folder, whether there is one or not."""
        return SessionFolder(self.root, tenant, session_id)

    def folders(self) -> Iterator[SessionFolder]:
        """All sessions that were opened and not removed."""
        for tenant in _folders(self.root):
            if TENANT.fullmatch(tenant):
                for session_id in _folders(self.root / tenant):
                    if SESSION_ID.fullmatch(session_id):
                        yield self.folder(tenant, session_id)

    def free_bytes(self) -> int:
        """Room on the disk for the media server. Raises OSError."""
        status = os.statvfs(self.root)
        return status.f_bavail * status.f_frsize

    def is_writable(self) -> bool:
        """Whether files can be made; a full disk counts as writable."""
        return os.access(self.root, os.W_OK | os.X_OK) and not os.statvfs(self.root).f_flag & os.ST_RDONLY


def _folders(path: Path) -> list[str]:
    with os.scandir(path) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
