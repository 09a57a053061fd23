"""A recording of gigabytes through the real doors: how much memory each process ever needed."""

import threading
import time
from collections import defaultdict
from pathlib import Path
from types import TracebackType
from typing import Self

from figures import Figure
from material import ROOT, large_recording
from shuanglu.media.v1.import_service_pb2 import (
    GetImportRequest,
    ImportRecordingRequest,
    ImportState,
    SourceFile,
)
from shuanglu_cli.recording import open_session, participants_of, read_role
from shuanglu_stack.demo import SAMPLE
from shuanglu_stack.sampling import Client, sample_recording
from shuanglu_stack.stack import EmbeddedStack
from sizes import Sizes

MIB = 1 << 20
LIMIT_MIB = 250
LOOK_EVERY_S = 0.1
TIMEOUT_S = 600

ENDED = {ImportState.IMPORT_STATE_STORED, ImportState.IMPORT_STATE_FAILED}


class MemoryWatch:
    """The highest resident memory (VmHWM) of every process of a stack, children that come and go included."""

    def __init__(self, stack: EmbeddedStack) -> None:
        """Looks from `with` on."""
        self.peaks: dict[str, int] = defaultdict(int)
        self._stack = stack
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            for name, pid in self._stack.pids().items():
                for member, peak in family(pid):
                    shown = name if member == pid else f"{name}, child"
                    self.peaks[shown] = max(self.peaks[shown], peak)


def family(pid: int) -> list[tuple[int, int]]:
    """A process and all below it, each with its peak in bytes; without those that are gone."""
    found: list[tuple[int, int]] = []
    try:
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
        found.append((pid, int(status.partition("VmHWM:")[2].split()[0]) * 1024))
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                found += family(int(child))
    except (OSError, IndexError, ValueError):
        pass
    return found


def measure(stack: EmbeddedStack, client: Client, folder: Path, sizes: Sizes) -> list[Figure]:
    """Upload and import one large recording."""
    file = large_recording(folder, sizes.large_mib)
    roles = (read_role("CUSTOMER"), read_role("AGENT"))
    gateway = client.gateway
    with MemoryWatch(stack) as watch:
        session = open_session(gateway, sample_recording(ROOT / SAMPLE))
        upload = client.door.upload(file)
        source = SourceFile(upload_id=upload, participants=participants_of(roles))
        request = ImportRecordingRequest(session_id=session.session_id, files=[source])
        started = time.monotonic()
        answer = gateway.call(gateway.imports.ImportRecording, request)
        current = getattr(answer, "import")
        while current.state not in ENDED and time.monotonic() < started + TIMEOUT_S:
            time.sleep(LOOK_EVERY_S)
            answer = gateway.call(gateway.imports.GetImport, GetImportRequest(import_id=current.import_id))
            current = getattr(answer, "import")
        seconds = time.monotonic() - started
    if current.state != ImportState.IMPORT_STATE_STORED:
        raise RuntimeError(f"the large import did not end well: {current.failure_reason or 'too slow'}")
    mib = file.stat().st_size / MIB
    figures = [Figure("import of a large file", mib / seconds, "MiB/s", "higher", None, f"{mib:.0f} MiB")]
    for name, peak in sorted(watch.peaks.items(), key=lambda item: -item[1]):
        figures.append(Figure(f"peak resident memory, {name}", peak / MIB, "MiB", "lower", LIMIT_MIB))
    return figures
