"""What can be mended without losing anything: by the service that is ill, or by telling an event again over the bus."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import nats
from google.protobuf.message import Message
from nats.js.errors import NotFoundError

from shuanglu.media.v1.media_events_pb2 import ImportFailed, ImportRequested, RecordingCompleted, TrackStored
from shuanglu.ops.v1 import doctor_service_pb2 as pb
from shuanglu.quality.v1.quality_events_pb2 import VerdictReached
from shuanglu.report.v1.report_events_pb2 import ReportReady
from shuanglu_cli.doctor.bus import AWAY
from shuanglu_cli.doctor.examine import CONNECT_TIMEOUT_S, quiet, tenant_of
from shuanglu_cli.errors import CliError
from shuanglu_cli.gateway import Gateway
from shuanglu_cli.target import Target
from shuanglu_common.ailments import Ailment, Code
from shuanglu_common.bus.bus import Bus
from shuanglu_common.bus.dead_letter import replay
from shuanglu_common.bus.streams import ensure_streams
from shuanglu_common.bus.subjects import event_type, subjects
from shuanglu_common.clock import SystemClock
from shuanglu_common.errors import ShuangluError
from shuanglu_common.ids import derived_id, new_id

SUBJECTS_A_CALL = 500
MEND_TIMEOUT_S = 120.0
# Who takes it in by which events; handlers are idempotent, so telling again only adds what was missed.
TELL_AGAIN: dict[Code, tuple[type[Message], ...]] = {
    Code.SESSION_BEHIND: (ImportRequested, ImportFailed, RecordingCompleted, ReportReady),
    Code.VERDICT_WITHOUT_REPORT: (VerdictReached,),
    Code.SESSION_WITHOUT_REPORT: (VerdictReached,),
    Code.TRACK_MISSING: (TrackStored,),
}
BY_MEDIA = {
    Code.IMPORT_STUCK: pb.REMEDY_RESUME_IMPORTS,
    Code.SPOOL_LEFTOVER: pb.REMEDY_CLEAR_SPOOL,
    Code.SPOOL_UPLOAD_LEFT: pb.REMEDY_CLEAR_SPOOL,
    Code.OBJECT_UNFINISHED: pb.REMEDY_GIVE_UP_UNFINISHED,
    Code.OBJECT_ORPHANED: pb.REMEDY_SET_OBJECTS_ASIDE,
}
# Objects are moved out of the way: nothing else that is mended can be seen by a user, so this is asked for by name.
ONLY_IF_SURE = frozenset({Code.OBJECT_ORPHANED})
BY_BUS = frozenset({Code.DEAD_LETTER, Code.STREAM_MISSING, Code.STREAM_DIFFERS, *TELL_AGAIN})
MENDABLE = frozenset({Code.OUTBOX_STUCK, *BY_MEDIA, *BY_BUS})


@dataclass(frozen=True, slots=True)
class Mended:
    """What came of an ailment. `reason` says why it was not mended."""

    ailment: Ailment
    done: bool
    reason: str = ""


def mend(target: Target, ailments: Sequence[Ailment], *, sure: bool) -> list[Mended]:
    """Mend what can be. `sure`: orphaned objects, too. What nothing can be done about is left out. Raises Usage."""
    wanted = [each for each in ailments if each.code in MENDABLE and (sure or each.code not in ONLY_IF_SURE)]
    with Gateway(target) as gateway:
        done = [*_relayed(gateway, wanted), *_by_media(gateway, wanted)]
    on_bus = [each for each in wanted if each.code in BY_BUS]
    if on_bus:
        done += asyncio.run(_by_bus(target.need_nats_url(), tenant_of(target.token), on_bus))
    return done


def _relayed(gateway: Gateway, wanted: Sequence[Ailment]) -> Iterator[Mended]:
    """Subjects of OUTBOX_STUCK are `<schema>.outbox/<row>`."""
    doors = gateway.doctors
    calls: dict[str, tuple[Any, Any]] = {
        "signaling": (doors.signaling.MendSessions, pb.MendSessionsRequest),
        "media_ingest": (doors.media.MendImports, pb.MendImportsRequest),
        "quality": (doors.quality.MendVerdicts, pb.MendVerdictsRequest),
        "report": (doors.report.MendReports, pb.MendReportsRequest),
    }
    stuck = [each for each in wanted if each.code is Code.OUTBOX_STUCK]
    for schema in sorted({each.subject.partition(".")[0] for each in stuck}):
        method, request = calls[schema]
        treatment = pb.Treatment(remedy=pb.REMEDY_RELAY_OUTBOX)
        yield from _matched(
            [each for each in stuck if each.subject.startswith(f"{schema}.")],
            _treated(gateway, method, request(treatment=treatment)),
        )


def _by_media(gateway: Gateway, wanted: Sequence[Ailment]) -> Iterator[Mended]:
    for remedy in dict.fromkeys(BY_MEDIA.values()):
        ill = [each for each in wanted if BY_MEDIA.get(each.code) == remedy]
        for start in range(0, len(ill), SUBJECTS_A_CALL):
            some = ill[start : start + SUBJECTS_A_CALL]
            treatment = pb.Treatment(remedy=remedy, subjects=[each.subject for each in some])
            request = pb.MendImportsRequest(treatment=treatment)
            yield from _matched(some, _treated(gateway, gateway.doctors.media.MendImports, request))


def _treated(gateway: Gateway, method: Any, request: Any) -> dict[str, str]:
    """Reasons by subject, empty where it is mended; a service that does not answer has mended nothing."""
    try:
        response = gateway.call(method, request, MEND_TIMEOUT_S)
    except CliError as error:
        return {"": error.reason}
    return {each.subject: "" if each.mended else each.reason or "NOT_MENDED" for each in response.treated}


def _matched(ill: Sequence[Ailment], reasons: dict[str, str]) -> Iterator[Mended]:
    """What is no longer there when the service looks is mended, too: an outbox may have emptied by itself."""
    for each in ill:
        reason = reasons.get("", reasons.get(each.subject, ""))
        yield Mended(each, done=not reason, reason=reason)


async def _by_bus(url: str, tenant: str, wanted: Sequence[Ailment]) -> list[Mended]:
    try:
        client = await nats.connect(url, connect_timeout=CONNECT_TIMEOUT_S, allow_reconnect=False, error_cb=quiet)
    except AWAY as error:
        return [Mended(each, done=False, reason=type(error).__name__) for each in wanted]
    try:
        bus = Bus(client, "shuanglu-cli", SystemClock())
        return [await _on_bus(bus, tenant, each) for each in wanted]
    finally:
        await client.close()


async def _on_bus(bus: Bus, tenant: str, ailment: Ailment) -> Mended:
    try:
        if ailment.code is Code.DEAD_LETTER:
            await replay(bus, int(ailment.subject))
        elif ailment.code in TELL_AGAIN:
            if not await _tell_again(bus, tenant, ailment):
                return Mended(ailment, done=False, reason="NOT_REMEMBERED_BY_THE_BUS")
        else:
            await ensure_streams(bus.jetstream)
    except ShuangluError as error:
        return Mended(ailment, done=False, reason=error.reason)
    except AWAY as error:
        return Mended(ailment, done=False, reason=type(error).__name__)
    return Mended(ailment, done=True)


async def _tell_again(bus: Bus, tenant: str, ailment: Ailment) -> bool:
    """The session's events once more, under new message ids so that the bus takes them. False if it has none."""
    told = False
    names = [
        (event_type(message).stream, name)
        for message in TELL_AGAIN[ailment.code]
        for name in subjects(message, tenant, ailment.session_id)
    ]
    for stream, wanted in names:
        sequence = 1
        try:
            last = await bus.jetstream.get_msg(stream, subject=wanted)
            while True:
                found = await bus.jetstream.get_msg(stream, seq=sequence, subject=wanted, next=True)
                headers = {key: value for key, value in (found.headers or {}).items() if key.lower() == "traceparent"}
                event_id = derived_id("again", stream, str(found.seq), new_id(bus.clock.now_us()))
                await bus.publish_raw(wanted, found.data or b"", event_id, headers)
                told = True
                sequence = (found.seq or 0) + 1
                if sequence > (last.seq or 0):
                    break
        except NotFoundError:
            continue
    return told
