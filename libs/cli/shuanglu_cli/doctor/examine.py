"""The examination: every service asked, the answers joined session by session, the bus looked at."""

import asyncio
import base64
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import nats

from shuanglu.ops.v1 import doctor_service_pb2 as pb
from shuanglu_cli.doctor.bus import AWAY, examine_bus
from shuanglu_cli.doctor.case import Circumstances, Held, Kind, Part, Stored, ailments
from shuanglu_cli.doctor.merge import Item, cases
from shuanglu_cli.errors import CliError
from shuanglu_cli.gateway import Gateway, readable_errors
from shuanglu_cli.target import Target
from shuanglu_common.ailments import Ailment, Code
from shuanglu_common.bus.bus import Bus
from shuanglu_common.clock import SystemClock

STREAM_TIMEOUT_S = 6 * 3600.0
CONNECT_TIMEOUT_S = 3
KEPT_PER_CODE = 1000
LOOKED_AT_TWICE = 200
ALL_SERVICES = ("signaling", "media-ingest", "face-check", "asr", "quality", "report")
KINDS = {
    pb.HOLDING_KIND_SESSION: Kind.SESSION,
    pb.HOLDING_KIND_IMPORT: Kind.IMPORT,
    pb.HOLDING_KIND_FOLD: Kind.FOLD,
    pb.HOLDING_KIND_VERDICT: Kind.VERDICT,
    pb.HOLDING_KIND_REPORT: Kind.REPORT,
    pb.HOLDING_KIND_TRACK: Kind.TRACK,
    pb.HOLDING_KIND_CALL: Kind.CALL,
}
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to examine. See Examination in the contract; `services`: those that should run."""

    session_id: str = ""
    deep: bool = False
    at_rest: bool = False
    services: frozenset[str] = frozenset(ALL_SERVICES)


@dataclass(slots=True)
class Diagnosis:
    """What was found. Of one code at most 1000 ailments are kept; `counts` has them all."""

    ailments: list[Ailment] = field(default_factory=list)
    counts: Counter[Code] = field(default_factory=Counter)
    sessions: int = 0
    objects: int = 0

    def add(self, ailment: Ailment) -> bool:
        """One more; False if it is only counted."""
        self.counts[ailment.code] += 1
        kept = self.counts[ailment.code] <= KEPT_PER_CODE
        if kept:
            self.ailments.append(ailment)
        return kept

    def forget(self, ailment: Ailment) -> None:
        """It was there only because the stack moved while it was looked at."""
        self.ailments.remove(ailment)
        self.counts[ailment.code] -= 1
        self.counts += Counter()


def examine(target: Target, wanted: Wanted, progress: Progress = lambda *_: None) -> Diagnosis:
    """Examine the stack as far as the token's tenant sees it. A part that does not answer is an ailment, not an error.

    `progress` is told sessions done and sessions there are. Raises Usage without gateway or bus.
    """
    tenant = tenant_of(target.token)
    found = Diagnosis()
    with Gateway(target) as gateway:
        first = Round(gateway, tenant, wanted, found, progress)
        first.run()
        _look_again(gateway, tenant, wanted, first, found)
    if not wanted.session_id:
        for ailment in asyncio.run(_bus(target.need_nats_url(), wanted)):
            found.add(ailment)
    found.ailments.sort()
    return found


def _look_again(gateway: Gateway, tenant: str, wanted: Wanted, first: "Round", found: Diagnosis) -> None:
    """The parts are read one beside the other, not at one moment: what only their join shows must show twice."""
    for session_id in list(dict.fromkeys(each.session_id for each in first.joined))[:LOOKED_AT_TWICE]:
        second = Round(gateway, tenant, replace(wanted, session_id=session_id, deep=False), Diagnosis())
        second.run()
        still = {(each.code, each.subject) for each in second.joined}
        for ailment in first.joined:
            if ailment.session_id == session_id and (ailment.code, ailment.subject) not in still:
                found.forget(ailment)


class Round:
    """One examination of all services."""

    def __init__(
        self,
        gateway: Gateway,
        tenant: str,
        wanted: Wanted,
        found: Diagnosis,
        progress: Progress = lambda *_: None,
    ) -> None:
        self._gateway, self._wanted, self._found, self._progress = gateway, wanted, found, progress
        self._now = Circumstances(tenant, time.time_ns() // 1000, at_rest=wanted.at_rest)
        self._total = 0
        self.joined: list[Ailment] = []  # What no part says alone; those that the diagnosis keeps.

    def run(self) -> None:
        """Fills the diagnosis."""
        asked = pb.Examination(session_id=self._wanted.session_id, deep=self._wanted.deep, at_rest=self._wanted.at_rest)
        doors = self._gateway.doctors
        parts: dict[Part, Iterable[Item]] = {
            Part.SIGNALING: self._told(doors.signaling.ExamineSessions, pb.ExamineSessionsRequest(examination=asked)),
            Part.MEDIA: self._told(doors.media.ExamineImports, pb.ExamineImportsRequest(examination=asked)),
            Part.QUALITY: self._told(doors.quality.ExamineVerdicts, pb.ExamineVerdictsRequest(examination=asked)),
            Part.REPORT: self._told(doors.report.ExamineReports, pb.ExamineReportsRequest(examination=asked)),
            Part.STORE: self._listed(pb.ListObjectsRequest(session_id=self._wanted.session_id)),
        }
        for case in cases(parts, self._broken):
            for ailment in ailments(case, self._now):
                if self._found.add(ailment):
                    self.joined.append(ailment)
            self._found.sessions += bool(case.of(Kind.SESSION))
            self._found.objects += len(case.stored)
            self._progress(self._found.sessions, self._total)

    def _broken(self, part: Part, error: CliError) -> None:
        self._now.answered.discard(part)
        self._found.add(
            Ailment(Code.EXAMINATION_INCOMPLETE, subject=part, detail=f"{error.reason}: {error.why or error}")
        )

    def _told(self, method: Any, request: Any) -> Iterator[Held]:
        """Holdings of one service; its ailments and what else it says are noted on the way."""
        for response in self._stream(method, request):
            match response.WhichOneof("found"):
                case "holding":
                    yield held_of(response.holding)
                case "ailment":
                    self._found.add(ailment_of(response.ailment))
                case "session_count":
                    self._total = response.session_count
                case "remembered_from_us":
                    self._now.verdicts_from_us = response.remembered_from_us

    def _listed(self, request: pb.ListObjectsRequest) -> Iterator[Stored]:
        """Objects of sessions; what stands outside of any is an ailment at once."""
        for response in self._stream(self._gateway.doctors.media.ListObjects, request):
            for each in response.objects:
                if each.key.count("/") > 1:
                    yield Stored(each.key, each.size_bytes, each.modified_at_us)
                else:
                    detail = f"{each.size_bytes} bytes; it belongs to no session"
                    self._found.add(Ailment(Code.OBJECT_ORPHANED, "", each.key, detail))

    def _stream(self, method: Any, request: Any) -> Iterator[Any]:
        with readable_errors():
            yield from method(request, timeout=STREAM_TIMEOUT_S, metadata=self._gateway.metadata)


def held_of(holding: pb.Holding) -> Held:
    """From the wire."""
    return Held(
        holding.session_id,
        KINDS[holding.kind],
        holding.id,
        holding.state,
        holding.changed_at_us,
        tuple((each.key, each.size_bytes) for each in holding.objects),
        tuple(holding.places),
    )


def ailment_of(ailment: pb.Ailment) -> Ailment:
    """From the wire."""
    return Ailment(Code(ailment.code), ailment.session_id, ailment.subject, ailment.detail)


def tenant_of(token: str) -> str:
    """The tenant that a token names; empty if it is none. The services check the token, this only reads it."""
    try:
        payload = token.split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["tenant"])
    except (IndexError, KeyError, ValueError, TypeError):
        return ""


async def _bus(url: str, wanted: Wanted) -> list[Ailment]:
    try:
        client = await nats.connect(url, connect_timeout=CONNECT_TIMEOUT_S, allow_reconnect=False, error_cb=quiet)
    except AWAY as error:
        return [Ailment(Code.BUS_AWAY, detail=type(error).__name__)]
    try:
        bus = Bus(client, "shuanglu-cli", SystemClock())
        return [each async for each in examine_bus(bus, wanted.services, at_rest=wanted.at_rest)]
    finally:
        await client.close()


async def quiet(_: Exception) -> None:
    """The error is raised as well."""
