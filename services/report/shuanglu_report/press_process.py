"""Press as a child process for each report."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog

from shuanglu.report.v1.report_pb2 import Report
from shuanglu_common.cell.confine import environment
from shuanglu_report import metrics
from shuanglu_report.errors import PressStuck, RenderingFailed
from shuanglu_report.frames import unpack
from shuanglu_report.page.choice import wanted_stills
from shuanglu_report.ports import Printed
from shuanglu_report.press_folder import press_folder
from shuanglu_report.press_job import PressSettings, job

_COMMAND = (sys.executable, "-m", "shuanglu_report.press")

log = structlog.get_logger()


class ProcessPress:
    """See Press."""

    def __init__(self, settings: PressSettings, timeout_s: float, command: Sequence[str] = _COMMAND) -> None:
        """`timeout_s`: when the child is given up."""
        self._settings = settings
        self._timeout_s = timeout_s
        self._command = command

    async def print_report(self, report: Report, clips: Sequence[bytes]) -> Printed:
        """See Press. If the press dies over a recording twice, the page is set without stills.

        Once may be the machine's fault, such as a kill for want of memory, and must not change the report.
        """
        reason, *rest = await self._first_answer(report, [clips, clips, []] if clips else [clips, clips])
        if reason:
            raise RenderingFailed("the page could not be set", cause=reason.decode())
        pdf, *stills = rest
        missing = sum(not jpeg for jpeg in stills)
        metrics.STILLS_MISSING.inc(missing)
        if len(stills) != len(wanted_stills(report.result)):
            raise RenderingFailed("the press gave another number of stills")
        return Printed(pdf, stills)

    async def _first_answer(self, report: Report, attempts: Sequence[Sequence[bytes]]) -> list[bytes]:
        """The answer to the first job that the press survives. Raises PressStuck."""
        *earlier, last = attempts
        for clips in earlier:
            try:
                return await self._run(job(self._settings, report, clips))
            except PressStuck as error:
                log.warning("press.again", stills=bool(clips), error=error)
        return await self._run(job(self._settings, report, last))

    async def _run(self, data: bytes) -> list[bytes]:
        """The answer to a job. Raises PressStuck; neither child nor folder is left behind."""
        try:
            with press_folder() as folder:
                return await self._answer(data, folder)
        except OSError as error:
            raise PressStuck(f"the press has no place to work: {type(error).__name__}") from error

    async def _answer(self, data: bytes, folder: Path) -> list[bytes]:
        pipe = asyncio.subprocess.PIPE
        known = {**environment(), "TMPDIR": str(folder)}
        child = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe, env=known)
        try:
            answer, _ = await asyncio.wait_for(child.communicate(data), self._timeout_s)
            if child.returncode == 0:
                return unpack(answer)
        except (TimeoutError, ValueError) as error:
            raise PressStuck(f"the press gave no answer: {type(error).__name__}") from error
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        raise PressStuck(f"the press ended with {child.returncode}")
