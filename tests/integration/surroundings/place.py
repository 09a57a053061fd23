"""Where the servers of one test live."""

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shuanglu_stack.nats_server import nats_command
from shuanglu_stack.ports import LOOPBACK
from shuanglu_stack.process import Command
from shuanglu_stack.readiness import http_ok

WAIT_S = 60


@dataclass(frozen=True, slots=True)
class Place:
    """Folder, ports and keys; servers are started by the test."""

    folder: Path
    ports: dict[str, int]
    keys: Any
    environment: dict[str, str]

    def bus(self, *, jetstream: bool = True) -> Command:
        command = nats_command(
            self.folder, self.folder, self.ports["nats"], self.ports["nats-monitor"], self.keys.nats_password
        )
        if not jetstream:
            file = self.folder / "nats" / "nats.conf"
            configuration = json.loads(file.read_text())
            del configuration["jetstream"]
            file.write_text(json.dumps(configuration))
        return command

    def readyz(self) -> tuple[int, dict[str, Any]]:
        url = f"http://{LOOPBACK}:{self.ports['ops']}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    def told(self, *words: str) -> None:
        """Wait until /readyz says it in its faults; meanwhile the service is alive."""
        end = time.monotonic() + WAIT_S
        while True:
            status, answer = self.readyz()
            assert http_ok(self.ports["ops"], "/healthz")()
            faults = " ".join(answer["faults"].values())
            if status == 503 and all(word in faults for word in words):
                return
            assert time.monotonic() < end, answer
            time.sleep(0.2)

    def ready(self) -> None:
        end = time.monotonic() + WAIT_S
        while self.readyz()[0] != 200:
            assert time.monotonic() < end, self.readyz()
            time.sleep(0.2)
