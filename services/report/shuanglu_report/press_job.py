"""What the service gives to its press: settings as JSON, the report, and the clips that its stills are cut from."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from shuanglu.report.v1.report_pb2 import Report
from shuanglu_report.frames import pack


@dataclass(frozen=True, slots=True)
class PressSettings:
    """What the press must know."""

    font_dir: str
    time_zone: str
    # Processor seconds that cutting may take; the stills after that are left out, so that the report is in time.
    stills_seconds: float


def job(settings: PressSettings, report: Report, clips: Sequence[bytes]) -> bytes:
    """A job for the press; equal clips travel once."""
    unique = list(dict.fromkeys(clips))
    head = {**asdict(settings), "clips": [unique.index(clip) for clip in clips]}
    return pack([json.dumps(head).encode(), report.SerializeToString(), *unique])
