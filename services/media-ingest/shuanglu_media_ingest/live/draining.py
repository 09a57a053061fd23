"""A node that is to be taken away takes no new session and waits for those that it has (docs/adr/0016-draining.md).

Who drains and the recorder meet in the spool, so only who may write there may drain:

.drain       asked for; written by `drain`, removed by `drain --cancel` and by a recorder that starts
.draining    what is waited for, JSON; written every half second by the recorder that drains
.drained     nothing is waited for any more; the media server beside it waits for this, too
"""

import argparse
import asyncio
import json
import sys
import time
from contextlib import suppress
from pathlib import Path

import structlog

from shuanglu_common.settings import load_settings
from shuanglu_media_ingest.live.desk import UNFINISHED, Recorder
from shuanglu_media_ingest.live.session import Phase
from shuanglu_media_ingest.live.settings import LiveSettings

ASKED, DRAINING, DRAINED = ".drain", ".draining", ".drained"
EVERY_S = 0.5
# A recorder that has not spoken for so long is none.
SILENT_S = 15.0
EXIT_DRAINED, EXIT_NOT_ASKED, EXIT_TIME_UP, EXIT_CANCELLED, EXIT_NO_RECORDER = 0, 1, 3, 4, 5

log = structlog.get_logger()


class Draining:
    """The recorder's side."""

    def __init__(self, recorder: Recorder) -> None:
        """Nobody has asked this recorder yet: what is left in the spool was asked of the one before."""
        self._recorder, self._root = recorder, recorder.spool.root
        for name in (ASKED, DRAINING, DRAINED):
            (self._root / name).unlink(missing_ok=True)

    async def run(self, stopping: asyncio.Event) -> None:
        """Does what is asked, until told to stop."""
        while not stopping.is_set():
            try:
                self.look()
            except OSError as error:
                log.warning("live.drain_untold", error=error)  # A full disk: told later.
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), EVERY_S)

    def look(self) -> None:
        """One look at what is asked. Raises OSError if nothing can be told."""
        asked = (self._root / ASKED).exists()
        if asked is not self._recorder.draining:
            self._recorder.draining = asked
            log.info("live.draining" if asked else "live.drain_cancelled")
        if not asked:
            for name in (DRAINED, DRAINING):
                (self._root / name).unlink(missing_ok=True)
            return
        phases = [each.phase for each in self._recorder.recordings.values() if each.phase in UNFINISHED]
        waits_for = {"open": phases.count(Phase.OPEN), "storing": phases.count(Phase.CLOSING)}
        unnamed = self._root / f"{DRAINING}.new"
        unnamed.write_text(json.dumps(waits_for))
        unnamed.replace(self._root / DRAINING)
        drained = self._root / DRAINED
        if phases or self._recorder.opening:
            drained.unlink(missing_ok=True)
        elif not drained.exists():
            drained.touch()
            log.info("live.drained")


def drain_command(arguments: list[str]) -> int:
    """`drain` on the command line; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m shuanglu_media_ingest.live drain",
        description="Take this media node out of service: it takes no new session; returns when those that it has are "
        "over and stored, or after SHUANGLU_LIVE_DRAIN_S.",
        epilog="exit codes: 0 drained, or cancelled as asked; 1 the spool cannot be written; 3 time is up and sessions "
        "are left (their media stays in the spool, a recorder that starts there goes on); 4 somebody else cancelled; "
        "5 no recorder runs on SHUANGLU_LIVE_SPOOL_DIR",
    )
    parser.add_argument("--cancel", action="store_true", help="take the node into service again")
    parser.add_argument("--no-wait", action="store_true", help="return as soon as the recorder takes no new session")
    parser.add_argument("--seconds", type=float, help="how long to wait instead of SHUANGLU_LIVE_DRAIN_S")
    options = parser.parse_args(arguments)
    settings = load_settings(LiveSettings)
    root = settings.live_spool_dir
    try:
        if options.cancel:
            for name in (ASKED, DRAINED):
                (root / name).unlink(missing_ok=True)
            _say("the node takes new sessions again")
            return EXIT_DRAINED
        (root / ASKED).touch()
    except OSError as error:
        _say(f"the spool cannot be written: {error}")
        return EXIT_NOT_ASKED
    limit_s = settings.live_drain_s if options.seconds is None else options.seconds
    return _wait(root, limit_s, no_wait=options.no_wait)


def _wait(root: Path, limit_s: float, *, no_wait: bool) -> int:
    """Until drained, or until time is up; the exit code."""
    started = heard_at = time.monotonic()
    told = heard = ""
    while True:
        now = time.monotonic()
        if (root / DRAINED).exists():
            _say("drained: no session is open, all is stored")
            return EXIT_DRAINED
        if not (root / ASKED).exists():
            _say("cancelled by somebody else")
            return EXIT_CANCELLED
        stamp, words = _heard(root / DRAINING)
        if stamp != heard:
            heard, heard_at = stamp, now
        if words and words != told:
            told = words
            _say(f"no new session; waits for {words}, {max(0.0, limit_s - (now - started)):.0f} s at most")
        if words and no_wait:
            return EXIT_DRAINED
        if now - heard_at > SILENT_S:
            _say("no recorder runs here, or it does not answer")
            return EXIT_NO_RECORDER
        if now - started >= limit_s:
            _say(f"time is up; left: {told or 'unknown'}; their media stays in the spool")
            return EXIT_TIME_UP
        time.sleep(EVERY_S / 2)


def _heard(file: Path) -> tuple[str, str]:
    """When the recorder has spoken, and what it waits for; empty if it has not."""
    try:
        stamp, state = file.stat().st_mtime_ns, json.loads(file.read_text())
        return str(stamp), f"{int(state['open'])} open and {int(state['storing'])} being stored"
    except (OSError, ValueError, KeyError):
        return "", ""


def _say(text: str) -> None:
    sys.stdout.write(f"drain: {text}\n")
    sys.stdout.flush()
