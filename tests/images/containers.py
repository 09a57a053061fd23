"""A container of an image, by buildah."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

ROOT = Path(__file__).resolve().parents[2]
USER = 10001
PATIENCE_S = 120
sys.path.insert(0, str(ROOT / "scripts"))
from images import IMAGES as ALL_IMAGES  # noqa: E402
from images import RUN_STORAGE, STORAGE, app_version  # noqa: E402

__all__ = ["ALL_IMAGES", "ROOT", "USER", "Container", "answer", "wait_until"]


def buildah(*arguments: str) -> list[str]:
    """The command line."""
    return ["buildah", "--root", str(STORAGE), "--runroot", str(RUN_STORAGE), *arguments]


class Container:
    """Made at the start of a `with`, ended and removed at its end."""

    def __init__(self, image: str) -> None:
        self.reference = f"localhost/shuanglu/{image}:{app_version()}"
        self.process: subprocess.Popen[bytes] | None = None
        self.output = b""

    def __enter__(self) -> Self:
        command = buildah("from", "--pull-never", self.reference)
        self.name = subprocess.run(command, check=True, text=True, capture_output=True, timeout=300).stdout.strip()
        command = buildah("mount", self.name)
        self.root = Path(subprocess.run(command, check=True, text=True, capture_output=True, timeout=60).stdout.strip())
        command = buildah("inspect", "--type", "image", self.reference)
        facts = json.loads(subprocess.run(command, check=True, text=True, capture_output=True, timeout=60).stdout)
        self.config: dict[str, Any] = facts["Docker"]["config"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()
        subprocess.run(buildah("rm", self.name), check=True, capture_output=True, timeout=120)

    def _command(self, argv: Sequence[str], env: Mapping[str, str], mounts: Sequence[str]) -> list[str]:
        options = [word for name, value in env.items() for word in ("--env", f"{name}={value}")]
        options += [word for mount in mounts for word in ("--volume", mount)]
        return buildah("run", *options, self.name, "--", *argv)

    def run(self, *argv: str, env: Mapping[str, str] | None = None, mounts: Sequence[str] = ()) -> str:
        """Run something as the image's user to its end; its output. AssertionError if it fails."""
        environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
        command = self._command(argv, env or {}, mounts)
        done = subprocess.run(command, env=environment, text=True, capture_output=True, check=False, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, env: Mapping[str, str], mounts: Sequence[str], log: Path) -> None:
        """Start what the image starts."""
        environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
        argv = [*(self.config["Entrypoint"] or []), *(self.config.get("Cmd") or [])]
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                self._command(argv, env, mounts), env=environment, stdout=out, stderr=subprocess.STDOUT
            )

    def inside(self) -> list[psutil.Process]:
        """Processes of the container; buildah's own helpers below it are left out."""
        assert self.process is not None
        below = psutil.Process(self.process.pid).children(recursive=True)
        ours = [process for process in below if not "".join(process.cmdline()).startswith("buildah-chroot")]
        return [process for process in ours if process.uids().real == USER]

    def stop(self) -> None:
        """SIGTERM to its first process, as Kubernetes does; returns when all of it has ended."""
        assert self.process is not None
        for process in self.inside()[:1]:
            process.terminate()
        try:
            self.process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            for process in self.inside():
                process.kill()
            self.process.wait(timeout=PATIENCE_S)
            raise


def answer(url: str) -> tuple[int, str]:
    """Status and text of a page; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - loopback
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def wait_until(holds: Callable[[], bool], container: Container, log: Path) -> None:
    """Until something holds; AssertionError with the log if the container ends before or time is up."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert container.process is not None
        assert container.process.poll() is None, log.read_text(errors="replace")[-3000:]
        assert time.monotonic() < end, log.read_text(errors="replace")[-3000:]
        time.sleep(0.3)
