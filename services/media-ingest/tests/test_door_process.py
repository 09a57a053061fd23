"""The door as a process of its own: foreign clients, and kill -9."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tusclient.client import TusClient

DOOR = Path(__file__).with_name("ingest_door.py")
TUS = {"Tus-Resumable": "1.0.0"}
MIB = 1 << 20


class Process:
    """A door that can be killed and started again on the same spool and port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/files/"
        self.start()

    def start(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen([sys.executable, DOOR, self.folder, str(self.port)], env=environment)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                httpx.options(self.url, timeout=1)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the door did not start")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    found = Process(tmp_path / "spool")
    yield found
    found.kill()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "recording.bin"
    path.write_bytes(b"".join(hashlib.sha256(bytes([number])).digest() * 32768 for number in range(24)))
    return path


def stored(process: Process, url: str) -> bytes:
    return (process.folder / "bank-a" / f"{url.rpartition('/')[2]}.data").read_bytes()


def test_tuspy_uploads_with_checksums(process: Process, recording: Path):
    client = TusClient(process.url)
    uploader = client.uploader(
        str(recording), chunk_size=5 * MIB, upload_checksum=True, metadata={"filename": "录像.mp4"}
    )
    uploader.upload()
    assert uploader.offset == recording.stat().st_size
    assert stored(process, uploader.url) == recording.read_bytes()


def test_tuspy_resumes_where_the_door_stands(process: Process, recording: Path):
    client = TusClient(process.url)
    uploader = client.uploader(str(recording), chunk_size=3 * MIB)
    uploader.upload_chunk()
    process.kill()
    process.start()
    again = client.uploader(str(recording), chunk_size=3 * MIB, url=uploader.url)
    assert again.offset == 3 * MIB
    again.upload()
    assert stored(process, uploader.url) == recording.read_bytes()


def test_a_kill_in_the_middle_of_a_body_costs_at_most_a_checkpoint(process: Process, recording: Path):
    data = recording.read_bytes()
    created = httpx.post(process.url, headers={**TUS, "Upload-Length": str(len(data))})
    url = f"http://127.0.0.1:{process.port}{created.headers['Location']}"
    sent = [0]
    killed = threading.Event()

    def body() -> Iterator[bytes]:
        for at in range(0, len(data), 64 << 10):
            if at >= 15 * MIB and not killed.is_set():
                time.sleep(0.5)  # what was sent has been read
                process.kill()
                killed.set()
            sent[0] = at
            yield data[at : at + (64 << 10)]

    headers = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    with pytest.raises(httpx.TransportError):
        httpx.patch(url, content=body(), headers=headers, timeout=20)
    # Torn bytes behind the offset, as a crash in the middle of a write leaves them.
    with next(process.folder.glob("*/*.data")).open("ab") as file:
        file.write(b"torn")
    process.start()
    offset = int(httpx.head(url, headers=TUS).headers["Upload-Offset"])
    assert 15 * MIB - 4 * MIB - (256 << 10) <= offset <= sent[0]
    headers["Upload-Offset"] = str(offset)
    assert httpx.patch(url, content=data[offset:], headers=headers, timeout=30).status_code == 204
    assert stored(process, url) == data


def test_a_client_that_goes_away_keeps_what_has_arrived(process: Process, recording: Path):
    data = recording.read_bytes()[: 3 * MIB]
    created = httpx.post(process.url, headers={**TUS, "Upload-Length": str(len(data))})
    url = f"http://127.0.0.1:{process.port}{created.headers['Location']}"
    head = (
        f"PATCH {created.headers['Location']} HTTP/1.1\r\nHost: door\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
        f"Content-Type: application/offset+octet-stream\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", process.port)) as connection:
        connection.sendall(head.encode() + data[:MIB])
        time.sleep(0.3)
    until = time.monotonic() + 10
    offset = 0
    while offset == 0 and time.monotonic() < until:
        offset = int(httpx.head(url, headers=TUS).headers["Upload-Offset"])
    assert offset == MIB
    headers = {**TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    assert httpx.patch(url, content=data[offset:], headers=headers).status_code == 204
    assert stored(process, url) == data


def test_two_writers_at_once_are_kept_apart(process: Process):
    created = httpx.post(process.url, headers={**TUS, "Upload-Length": str(2 * MIB)})
    url = f"http://127.0.0.1:{process.port}{created.headers['Location']}"
    headers = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    release = threading.Event()

    def slow() -> Iterator[bytes]:
        yield b"a" * MIB
        release.wait(10)
        yield b"a" * MIB

    answers: list[int] = []
    first = threading.Thread(
        target=lambda: answers.append(httpx.patch(url, content=slow(), headers=headers, timeout=30).status_code)
    )
    first.start()
    time.sleep(0.5)
    assert httpx.patch(url, content=b"b" * MIB, headers=headers).status_code == 423
    release.set()
    first.join()
    assert answers == [204]
    assert stored(process, url) == b"a" * 2 * MIB
