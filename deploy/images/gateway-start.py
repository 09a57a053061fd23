#!/opt/shuanglu/venv/bin/python
"""Starts the gateway in a container: renders Envoy's configuration from SHUANGLU_GATEWAY_* to /tmp and runs Envoy.

SIGTERM: Envoy stops taking connections and tells clients to go elsewhere; it ends when its time is up.

SHUANGLU_GATEWAY_CONCURRENCY  threads of Envoy; default 2
SHUANGLU_GATEWAY_DRAIN_S      seconds between SIGTERM and the end, for calls in hand; default 20
SHUANGLU_GATEWAY_ADMIN_PORT   port of Envoy's admin interface on loopback; default 9901

With arguments it runs those instead: `python -m shuanglu_gateway check`.
"""

import os
import signal
import subprocess
import sys
import time
import types
import urllib.error
import urllib.request
from pathlib import Path

CONFIG = Path("/tmp/envoy.yaml")  # noqa: S108 - the one place that a container may write


def seconds(name: str, default: int) -> int:
    """A whole number from the environment, or exit code 2 with one line."""
    value = os.environ.get(name, str(default))
    if not value.isdigit():
        sys.stderr.write(f"gateway: wrong settings: {name}: not a whole number\n")
        sys.exit(2)
    return int(value)


def admin(port: int, path: str) -> None:
    """Tell Envoy something; it is ending anyway, so an error changes nothing."""
    try:
        urllib.request.urlopen(
            urllib.request.Request(f"http://127.0.0.1:{port}{path}", method="POST"),
            timeout=2,
        ).close()
    except (urllib.error.URLError, OSError) as error:
        sys.stderr.write(f"gateway: {path}: {type(error).__name__}\n")


def main() -> int:
    """Run until Envoy ends; its exit code, 0 after SIGTERM."""
    if len(sys.argv) > 1:
        os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606
    threads, drain_s = seconds("SHUANGLU_GATEWAY_CONCURRENCY", 2), seconds("SHUANGLU_GATEWAY_DRAIN_S", 20)
    port = seconds("SHUANGLU_GATEWAY_ADMIN_PORT", 9901)
    if code := subprocess.call([sys.executable, "-m", "shuanglu_gateway", "render", "--out", str(CONFIG)]):
        return code
    # The names of secrets' files stand in it, their contents too where Envoy wants them inline.
    CONFIG.chmod(0o600)
    options = ["--disable-hot-restart", "--concurrency", str(threads), "--log-level", "warning"]
    options += ["--drain-time-s", str(max(1, drain_s)), "--drain-strategy", "immediate"]
    envoy = subprocess.Popen(["envoy", "-c", str(CONFIG), *options])
    told = False

    def stop(_number: int, _frame: types.FrameType | None) -> None:
        nonlocal told
        told = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while envoy.poll() is None and not told:
        time.sleep(0.2)
    if told and envoy.poll() is None:
        admin(port, "/healthcheck/fail")
        admin(port, "/drain_listeners?graceful&skip_exit")
        end = time.monotonic() + drain_s
        while envoy.poll() is None and time.monotonic() < end:
            time.sleep(0.2)
        envoy.terminate()
    code = envoy.wait()
    return 0 if told else code


if __name__ == "__main__":
    sys.exit(main())
