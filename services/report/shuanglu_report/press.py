"""The press: a process of its own that cuts the stills and sets the page of one report, then ends.

Decoders, fonts and typst need 100 MiB that the service would keep for ever, and a recording that crashes a decoder must
not take the service with it. Reads one job from standard input, writes one answer to standard output (`frames`): a
reason (empty if all is well), the PDF, and a JPEG for each still (empty if it could not be cut).
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from shuanglu.report.v1.report_pb2 import Report
from shuanglu_common.cell.confine import CellLimits, confine
from shuanglu_common.errors import DamagedData
from shuanglu_report.errors import FontMissing, RenderingFailed
from shuanglu_report.frames import pack, unpack
from shuanglu_report.page.choice import WantedStill, wanted_stills
from shuanglu_report.page.timeline import timeline_picture
from shuanglu_report.page.values import StillPicture, page_values
from shuanglu_report.press_job import PressSettings
from shuanglu_report.stills import picture
from shuanglu_report.typst_pdf import TypstRenderer

# Stills of 4K pictures and a report of a hundred pages stay below half of it; typst reads its pictures from files.
LIMITS = CellLimits(memory_bytes=1 << 30, file_bytes=64 << 20)


def done(data: bytes) -> bytes:
    """The answer to a job."""
    head_data, report_data, *unique = unpack(data)
    head = json.loads(head_data)
    numbers = head.pop("clips")
    settings = PressSettings(**head)
    report = Report.FromString(report_data)
    wanted = wanted_stills(report.result)
    clips = [unique[number] for number in numbers] or [b""] * len(wanted)
    jpegs = cut_all(wanted, clips, settings.stills_seconds)
    try:
        pdf = page(report, wanted, jpegs, settings)
    except (RenderingFailed, FontMissing) as error:
        return pack([error.reason.encode()])
    return pack([b"", pdf, *jpegs])


def cut_all(wanted: Sequence[WantedStill], clips: Sequence[bytes], budget_s: float) -> list[bytes]:
    """A JPEG for each still; empty for what cannot be cut, or not in time.

    Processor time, so that a busy machine makes the report later but not another one.
    """
    end = time.process_time() + budget_s
    jpegs = []
    for still, clip in zip(wanted, clips, strict=True):
        try:
            jpegs.append(picture(clip, still) if clip and time.process_time() < end else b"")
        except DamagedData:
            jpegs.append(b"")
    return jpegs


def page(report: Report, wanted: Sequence[WantedStill], jpegs: Sequence[bytes], settings: PressSettings) -> bytes:
    """The PDF. Raises RenderingFailed, FontMissing."""
    files = {f"still-{number:02d}.jpg": jpeg for number, jpeg in enumerate(jpegs, start=1) if jpeg}
    shown = [
        StillPicture(still.finding_id, still.frame.track_id, still.frame.at_ms, f"still-{number:02d}.jpg")
        for number, (still, jpeg) in enumerate(zip(wanted, jpegs, strict=True), start=1)
        if jpeg
    ]
    values = page_values(report, shown, ZoneInfo(settings.time_zone))
    renderer = TypstRenderer(Path(settings.font_dir))
    return renderer.render(values, timeline_picture(report.result), files, report.created_at_us)


def main() -> None:
    """One job. A fault ends the process with its place on standard error, without the values: they may be personal."""
    confine(LIMITS, os.getppid())
    try:
        answer = done(sys.stdin.buffer.read())
    except Exception as error:  # noqa: BLE001 - whatever it is, only its kind and place may be told
        sys.stderr.write("".join(traceback.format_tb(error.__traceback__)) + f"press: {type(error).__name__}\n")
        raise SystemExit(1) from None
    sys.stdout.buffer.write(answer)


if __name__ == "__main__":
    main()
