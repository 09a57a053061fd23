"""Uploads by tus 1.0 (https://tus.io/protocols/resumable-upload): in one stream, resumed after a break.

The door keeps what has arrived every few MiB. That it arrived unaltered shows at the end: the upload says which SHA-256
the file has, and the import is refused if the door finds another.

A door that is full or busy (429, 507) is not an error: we wait, say so, and go on.
"""

import base64
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self
from urllib.parse import urljoin

import httpx

from shuanglu_cli.errors import CliError, NoEntry, Refused, Unreachable
from shuanglu_cli.target import Target

TUS_VERSION = "1.0.0"
PIECE_BYTES = 1 << 20
# Another offset, locked by a request that is still ending.
TRY_AGAIN = {409, 423}
BUSY = {429, 507}
TIMEOUT = httpx.Timeout(60, connect=5)
# A gateway or service that restarts is back within this time.
RETRY_DELAYS_S = (0.5, 1.0, 2.0, 4.0, 8.0, 8.0)

USUAL_PAUSE_S, LONGEST_PAUSE_S = 5.0, 60.0
# A door that stays full for so long is told, and the import goes on with the next command.
PATIENCE_S = 600.0

Progress = Callable[[int], None]
# What is waited for, in words, and for how many seconds. May raise to stop waiting.
Pause = Callable[[str, float], None]


def sleep_quietly(_words: str, seconds: float) -> None:
    """Waits."""
    time.sleep(seconds)


class UploadDoor:
    """Sends files to the gateway's `/files/`. A context manager."""

    def __init__(
        self,
        target: Target,
        transport: httpx.BaseTransport | None = None,
        pause: Pause = sleep_quietly,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """`transport` is for tests. `pause` waits while the door is busy, `patience_s` in a row at most."""
        self._files = target.need_gateway() + "/files/"
        verify: ssl.SSLContext | bool = True
        if target.ca is not None:
            verify = ssl.create_default_context(cafile=str(target.ca))
        headers = {"Tus-Resumable": TUS_VERSION}
        if target.token:
            headers["Authorization"] = f"Bearer {target.token}"
        self._pause, self._patience_s = pause, patience_s
        self._client = httpx.Client(verify=verify, headers=headers, timeout=TIMEOUT, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def upload(self, file: Path, progress: Progress = lambda _: None) -> str:
        """Send a file; the upload's id. `progress` hears the bytes that are on their way. Raises CliError."""
        url = self.create(file)
        self.send(file, url, progress)
        return upload_id_of(url)

    def create(self, file: Path, sha256: str = "") -> str:
        """A new upload for a file; its URL, with which it can be gone on with in another run.

        `sha256`: of the file, 64 hexadecimal digits; empty to have nothing compared. Raises CliError.
        """
        facts = {"filename": file.name} | ({"sha256": sha256} if sha256 else {})
        metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in facts.items())
        headers = {"Upload-Length": str(file.stat().st_size), "Upload-Metadata": metadata}
        return urljoin(self._files, self._request("POST", self._files, headers=headers).headers["Location"])

    def offset(self, url: str) -> int | None:
        """Bytes that are safe; None if there is no such upload any more. Raises CliError."""
        try:
            return self._offset(url)
        except Refused:
            return None

    def send(self, file: Path, url: str, progress: Progress = lambda _: None, offset: int = 0) -> None:
        """Send what a file has behind `offset`, which is safe already. Raises CliError."""
        size = file.stat().st_size
        stalled = 0
        with file.open("rb") as source:
            while offset < size:
                progress(offset)
                safe = self._send_rest(url, source, offset, size, progress)
                stalled = 0 if safe > offset else stalled + 1
                if stalled > len(RETRY_DELAYS_S):
                    raise Unreachable(
                        "the upload makes no progress", f"stuck at byte {offset}", "try again", "UPLOAD_STUCK"
                    )
                if stalled:
                    time.sleep(RETRY_DELAYS_S[stalled - 1])
                offset = safe
        progress(size)

    def terminate(self, upload_id: str) -> None:
        """Forget an upload that will not be used. Raises CliError."""
        self._request("DELETE", urljoin(self._files, upload_id))

    def _send_rest(self, url: str, source: BinaryIO, offset: int, size: int, progress: Progress) -> int:
        """The offset after it; or, after a break, the one from which the server wants to go on."""
        headers = {
            "Upload-Offset": str(offset),
            "Content-Length": str(size - offset),
            "Content-Type": "application/offset+octet-stream",
        }
        waited_s = 0.0
        while True:
            try:
                answer = self._client.patch(url, headers=headers, content=_pieces(source, offset, progress))
            except httpx.TransportError:
                return self._offset(url)
            if answer.status_code == httpx.codes.NO_CONTENT:
                return int(answer.headers["Upload-Offset"])
            if answer.status_code not in BUSY:
                break
            waited_s += self._wait(answer, waited_s)
            if (safe := self._offset(url)) != offset:
                return safe
        if answer.status_code in TRY_AGAIN or answer.is_server_error:
            return self._offset(url)
        raise refused(answer)

    def _wait(self, answer: httpx.Response, waited_s: float) -> float:
        """As long as the door asks for. Raises what it said if that takes too long in all."""
        if waited_s >= self._patience_s:
            raise refused(answer)
        asked = answer.headers.get("Retry-After", "")
        seconds = min(float(asked), LONGEST_PAUSE_S) if asked.isdigit() else USUAL_PAUSE_S
        told = refused(answer)
        self._pause(f"{told.why or told.what} ({told.reason})", seconds)
        return max(seconds, 0.1)

    def _offset(self, url: str) -> int:
        return int(self._request("HEAD", url).headers["Upload-Offset"])

    def _request(self, method: str, url: str, **arguments: Any) -> httpx.Response:
        delays = iter(RETRY_DELAYS_S)
        waited_s = 0.0
        while True:
            try:
                answer = self._client.request(method, url, **arguments)
            except httpx.TransportError as error:
                delay_s = next(delays, None)
                if delay_s is None:
                    raise _unreachable(error) from error
                time.sleep(delay_s)
                continue
            if answer.is_success:
                return answer
            if answer.status_code in BUSY:
                waited_s += self._wait(answer, waited_s)
                continue
            delay_s = next(delays, None) if answer.is_server_error else None
            if delay_s is None:
                raise refused(answer)
            time.sleep(delay_s)


def _pieces(source: BinaryIO, offset: int, progress: Progress) -> Iterator[bytes]:
    """What is behind the offset."""
    source.seek(offset)
    while piece := source.read(PIECE_BYTES):
        yield piece
        offset += len(piece)
        progress(offset)


def upload_id_of(url: str) -> str:
    """The last part of an upload's URL."""
    return url.rstrip("/").rpartition("/")[2]


def refused(answer: httpx.Response) -> CliError:
    """The error of an HTTP door: JSON with `message` and ErrorInfo, or whatever a proxy says."""
    message, reason, help_text = answer.text[:300], str(answer.status_code), ""
    try:
        body = answer.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        message = str(body.get("message", message))
        for detail in body.get("details", ()):
            reason = str(detail.get("reason", reason))
            help_text = str(detail.get("metadata", {}).get("help", ""))
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return NoEntry("the token does not open this", message, help_text or "get a token that may upload", reason)
    if answer.is_server_error:
        return Unreachable("the upload door does not answer", message, "try again", reason)
    return Refused("the upload was refused", message, help_text, reason)


def _unreachable(error: httpx.TransportError) -> Unreachable:
    return Unreachable(
        "the gateway does not answer",
        str(error) or type(error).__name__,
        "look whether it runs, then try again",
        "UNREACHABLE",
    )
