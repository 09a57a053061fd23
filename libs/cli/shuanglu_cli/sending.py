"""Importing a recording: from files on disk to a session under inspection, resumable at every step.

Nothing is imported twice. The session is opened under a key that is made of the order and the files, so a repeated
import finds it; the service knows recordings by their bytes. The journal only saves what was uploaded already.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from shuanglu.media.v1 import import_service_pb2 as pb
from shuanglu.session.v1.session_pb2 import SessionState
from shuanglu_cli.digests import recording_key, sha256_of
from shuanglu_cli.errors import Busy, CliError, Refused, Unreachable
from shuanglu_cli.gateway import Gateway
from shuanglu_cli.journal import Journal
from shuanglu_cli.recording import Recording, open_session, participants_of
from shuanglu_cli.uploads import PATIENCE_S, Pause, Progress, sleep_quietly, upload_id_of

# Name of the file, bytes that are safe, size of the file.
UploadProgress = Callable[[str, int, int], None]
TAKEN = {
    SessionState.SESSION_STATE_RECORDING,
    SessionState.SESSION_STATE_INSPECTING,
    SessionState.SESSION_STATE_REPORTED,
}
CAME_TO_NOTHING = {pb.ImportState.IMPORT_STATE_FAILED, pb.ImportState.IMPORT_STATE_CANCELLED}
# The uploads that we meant are not there any more.
UPLOADS_LOST = {"UPLOAD_NOT_FOUND", "UPLOAD_INCOMPLETE"}
# The service is at work on what we ask for, however patient we are with services that are away.
SOON = {"HASHING_TAKES_LONG", "PROBE_TOO_SLOW"}
PAUSES_S = (1.0, 2.0, 5.0, 10.0)
T = TypeVar("T")


class Door(Protocol):
    """Where files go in. All raise CliError."""

    def create(self, file: Path, sha256: str) -> str:
        """A new upload for a file of this hash; its URL."""

    def offset(self, url: str) -> int | None:
        """Bytes that are safe; None if there is no such upload."""

    def send(self, file: Path, url: str, progress: Progress, offset: int) -> None:
        """Send what the file has behind `offset`."""

    def terminate(self, upload_id: str) -> None:
        """Forget an upload that will not be used."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Where a recording is. `import_id` is empty if only the session is known; `before`: it was there already."""

    session_id: str
    import_id: str
    before: bool = False


@dataclass(frozen=True, slots=True)
class Manner:
    """How recordings are sent. `batch_id`: empty for one alone. `patience_s`: with services that are away."""

    batch_id: str = ""
    patience_s: float = 0.0
    pause: Pause = sleep_quietly


class Sender:
    """Sends recordings; several threads may use it."""

    def __init__(self, gateway: Gateway, door: Door, journal: Journal, manner: Manner) -> None:
        """`journal` is open."""
        self._gateway, self._door, self._journal, self._manner = gateway, door, journal, manner

    def send(self, recording: Recording, progress: UploadProgress = lambda *_: None) -> Sent:
        """Order, session, files, import: whatever of it is not done yet. Raises CliError, OSError."""
        key = recording_key(recording, lambda file: self._journal.digest(file, sha256_of))
        known = self._known(key)
        if known is not None:
            return known
        session = self._patiently(lambda: open_session(self._gateway, recording, key))
        self._journal.opened(key, session.session_id)
        if session.state in TAKEN:
            return Sent(session.session_id, "", before=True)
        while True:
            uploads, resumed = self._upload_all(key, recording, progress)
            try:
                return self._ask(key, request_of(recording, session.session_id, uploads), uploads)
            except Refused as error:
                if error.reason not in UPLOADS_LOST or not resumed:
                    self._give_up(key, recording, uploads)
                    raise
                self._forget(key, recording)

    def _known(self, key: str) -> Sent | None:
        """As the journal remembers it, if the service does too."""
        done = self._journal.of(key)
        if not done.import_id:
            return None
        asked = pb.GetImportRequest(import_id=done.import_id)
        try:
            answer = self._patiently(lambda: self._gateway.call(self._gateway.imports.GetImport, asked))
        except Refused:
            return None
        if not self._manner.batch_id and getattr(answer, "import").state in CAME_TO_NOTHING:
            return None
        return Sent(done.session_id, done.import_id, before=True)

    def _upload_all(self, key: str, recording: Recording, progress: UploadProgress) -> tuple[list[str], bool]:
        """Upload ids of files and photo; and whether any of them was begun by an earlier run."""
        done = [self._upload(key, name, file, progress) for name, file in self._named(recording)]
        return [upload_id_of(url) for url, _ in done], any(resumed for _, resumed in done)

    def _named(self, recording: Recording) -> list[tuple[str, Path]]:
        """Files and photo, named by their place and content: two of them may hold the same bytes."""
        files = [file for file, _ in recording.files] + ([recording.id_photo] if recording.id_photo else [])
        return [(f"{number} {self._journal.digest(file, sha256_of)}", file) for number, file in enumerate(files)]

    def _upload(self, key: str, name: str, file: Path, progress: UploadProgress) -> tuple[str, bool]:
        """URL of a complete upload of the file; `name` is the one in the journal."""
        size = file.stat().st_size
        url = self._journal.of(key).uploads.get(name, "")
        offset = self._patiently(lambda: self._door.offset(url)) if url else None
        resumed = offset is not None
        if offset is None:
            sha256 = self._journal.digest(file, sha256_of)
            url, offset = self._patiently(lambda: self._door.create(file, sha256)), 0
            self._journal.uploading(key, name, url)
        start = offset
        # After a break the door says by itself where it stands.
        self._patiently(lambda: self._door.send(file, url, lambda safe: progress(file.name, safe, size), start))
        return url, resumed

    def _ask(self, key: str, request: pb.ImportRecordingRequest, uploads: list[str]) -> Sent:
        answer = self._patiently(lambda: self._import(request))
        record = getattr(answer, "import")
        sent = Sent(record.session_id, record.import_id, before=bool(answer.duplicate_of))
        self._journal.accepted(key, sent.session_id, sent.import_id)
        if answer.duplicate_of:
            # The service has it by other uploads.
            for upload_id in uploads:
                with suppress(CliError):
                    self._door.terminate(upload_id)
        return sent

    def _import(self, request: pb.ImportRecordingRequest) -> Any:
        """The answer for one recording, alone or in its batch. Raises CliError."""
        imports = self._gateway.imports
        if not self._manner.batch_id:
            return self._gateway.call(imports.ImportRecording, request)
        batch = pb.ImportBatchRequest(batch_id=self._manner.batch_id, items=[request])
        (result,) = self._gateway.call(imports.ImportBatch, batch).results
        if result.HasField("refusal"):
            raise error_of(result.refusal)
        return result

    def _give_up(self, key: str, recording: Recording, uploads: list[str]) -> None:
        """Of refused files nothing is kept."""
        for upload_id in uploads:
            with suppress(CliError):
                self._door.terminate(upload_id)
        self._forget(key, recording)

    def _forget(self, key: str, recording: Recording) -> None:
        for name, _ in self._named(recording):
            self._journal.uploading(key, name, "")

    def _patiently(self, work: Callable[[], T]) -> T:
        """Again while a service is away or busy, as long as our patience lasts. Raises CliError."""
        waited_s, pauses = 0.0, iter(PAUSES_S)
        while True:
            try:
                return work()
            except (Unreachable, Busy) as error:
                patience_s = PATIENCE_S if error.reason in SOON else self._manner.patience_s
                if waited_s >= patience_s or error.reason == "BATCH_FULL":
                    raise
                seconds = next(pauses, PAUSES_S[-1])
                waited_s += seconds
                self._manner.pause(f"{error.what}: {error.why or error.reason}", seconds)


def request_of(recording: Recording, session_id: str, uploads: list[str]) -> pb.ImportRecordingRequest:
    """The import of a recording whose files were uploaded, in their order, the photo last."""
    return pb.ImportRecordingRequest(
        session_id=session_id,
        files=[
            pb.SourceFile(
                upload_id=upload_id,
                participants=participants_of(roles),
                offset_ms=recording.offset_ms(number),
                audio=recording.audio,
            )
            for number, (upload_id, (_, roles)) in enumerate(zip(uploads, recording.files, strict=False))
        ],
        id_photo_upload_id=uploads[-1] if recording.id_photo is not None else "",
        timeline=recording.timeline,
    )


def error_of(refusal: pb.ImportRefusal) -> CliError:
    """The refusal of a batch's item as the error that a call of its own would have raised."""
    message = refusal.message.removesuffix(refusal.help).strip() or refusal.reason
    kind = Unreachable if refusal.retryable else Refused
    return kind(message, refusal.reason, refusal.help, refusal.reason)


def import_recording(
    gateway: Gateway,
    door: Door,
    recording: Recording,
    progress: UploadProgress = lambda *_: None,
    journal: Journal | None = None,
) -> Sent:
    """Register the order, open a session, send the files, start the inspection; where the recording is.

    The same files for the same order are imported once, however often this is called. If the files are refused, what
    was uploaded is given up at once. Raises CliError, OSError.
    """
    return Sender(gateway, door, journal or Journal(None, gateway.address), Manner()).send(recording, progress)
