"""What is to be imported, as people name it; its session; and watching what becomes of it."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError

from shuanglu.common.v1.types_pb2 import Channel, Participant, ParticipantRole
from shuanglu.media.v1.import_service_pb2 import AudioSelection
from shuanglu.media.v1.track_pb2 import TimelineNode
from shuanglu.report.v1.report_service_pb2 import InspectionPhase, WatchInspectionRequest, WatchInspectionResponse
from shuanglu.session.v1.session_pb2 import Order, Session
from shuanglu.session.v1.session_service_pb2 import CreateOrderRequest, CreateSessionRequest
from shuanglu_cli.errors import TookTooLong, Unreachable, Usage
from shuanglu_cli.gateway import Gateway, readable_errors

ROLE_PREFIX = "PARTICIPANT_ROLE_"
CHANNEL_PREFIX = "CHANNEL_"
LAST_PHASES = {InspectionPhase.INSPECTION_PHASE_REPORTED, InspectionPhase.INSPECTION_PHASE_FAILED}
RECONNECT_AFTER_S = 1.0
AWAY_S = 60.0

Roles = tuple[ParticipantRole.ValueType, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """What is to be imported."""

    files: tuple[tuple[Path, Roles], ...]
    order: Order
    channel: Channel.ValueType
    id_photo: Path | None = None
    strategy_id: str = ""
    timeline: tuple[TimelineNode, ...] = field(default=())
    offsets_ms: tuple[int, ...] = ()  # of the files on the session's timeline; 0 where there is none
    audio: AudioSelection | None = None  # of every file; None: all their sound

    def offset_ms(self, number: int) -> int:
        """Where the file begins."""
        return self.offsets_ms[number] if number < len(self.offsets_ms) else 0


def read_order(file: Path) -> tuple[Order, Channel.ValueType]:
    """An order as proto JSON, with an optional `channel`; `IMPORT` if it has none. Raises Usage."""
    content = _read_json(file)
    if not isinstance(content, dict):
        raise Usage(
            f"{file} is not an order", "it is no JSON object", "see samples/personal-loan/order.json", "BAD_ORDER"
        )
    channel = read_channel(str(content.pop("channel", "IMPORT")))
    try:
        return ParseDict(content, Order()), channel
    except ParseError as error:
        raise Usage(
            f"{file} is not an order", str(error), "see samples/personal-loan/order.json", "BAD_ORDER"
        ) from None


def read_channel(text: str) -> Channel.ValueType:
    """`REMOTE` or `CHANNEL_REMOTE`. Raises Usage."""
    name = CHANNEL_PREFIX + text.upper().removeprefix(CHANNEL_PREFIX)
    if name not in list(Channel.keys()) or Channel.Value(name) == Channel.CHANNEL_UNSPECIFIED:
        known = ", ".join(key.removeprefix(CHANNEL_PREFIX) for key in Channel.keys()[1:])
        raise Usage(f"{text} is not a channel", "", f"give one of {known}", "BAD_CHANNEL")
    return Channel.Value(name)


def read_timeline(file: Path) -> tuple[TimelineNode, ...]:
    """Nodes with their times: a list, or an object with `nodes`. Raises Usage."""
    content = _read_json(file)
    nodes = content.get("nodes", []) if isinstance(content, dict) else content
    try:
        return tuple(ParseDict({"take": 1, **node}, TimelineNode()) for node in nodes)
    except (ParseError, TypeError) as error:
        raise Usage(
            f"{file} is not a timeline", str(error), "see samples/personal-loan/timeline.json", "BAD_TIMELINE"
        ) from None


def assign_roles(arguments: Sequence[str]) -> tuple[tuple[Path, Roles], ...]:
    """Who is in which file: `FILE:CUSTOMER,AGENT`, or by the name `customer*`, `agent*`; a single file holds both.

    Raises Usage.
    """
    return tuple(_with_roles(argument, alone=len(arguments) == 1) for argument in arguments)


def _with_roles(argument: str, *, alone: bool) -> tuple[Path, Roles]:
    name, colon, roles = argument.rpartition(":")
    if colon and not Path(argument).exists():
        return _existing(name), tuple(read_role(role) for role in roles.split(","))
    file = _existing(argument)
    return file, with_roles(file, alone=alone)


def with_roles(file: Path, *, alone: bool) -> Roles:
    """Who is in a file, by its name; one that is `alone` holds both. Raises Usage."""
    for role in (ParticipantRole.PARTICIPANT_ROLE_CUSTOMER, ParticipantRole.PARTICIPANT_ROLE_AGENT):
        if file.name.lower().startswith(ParticipantRole.Name(role).removeprefix(ROLE_PREFIX).lower()):
            return (role,)
    if alone:
        return (ParticipantRole.PARTICIPANT_ROLE_CUSTOMER, ParticipantRole.PARTICIPANT_ROLE_AGENT)
    raise Usage(
        f"who is in {file.name}?",
        "its name begins with neither `customer` nor `agent`",
        f"write {file}:CUSTOMER or {file}:AGENT",
        "ROLE_UNKNOWN",
    )


def read_role(text: str) -> ParticipantRole.ValueType:
    """`CUSTOMER` or `PARTICIPANT_ROLE_CUSTOMER`. Raises Usage."""
    name = ROLE_PREFIX + text.strip().upper().removeprefix(ROLE_PREFIX)
    if name not in list(ParticipantRole.keys()) or name.endswith("UNSPECIFIED"):
        known = ", ".join(key.removeprefix(ROLE_PREFIX) for key in ParticipantRole.keys()[1:])
        raise Usage(f"{text} is not a role", "", f"give one of {known}", "BAD_ROLE")
    return ParticipantRole.Value(name)


def participants_of(roles: Roles) -> list[Participant]:
    """One participant for each role, named by it."""
    return [
        Participant(participant_id=ParticipantRole.Name(role).removeprefix(ROLE_PREFIX).lower(), role=role)
        for role in roles
    ]


def open_session(gateway: Gateway, recording: Recording, idempotency_key: str = "") -> Session:
    """Register the order if it is new and open a session for it, or the one that the key opened. Raises CliError."""
    order = gateway.call(gateway.sessions.CreateOrder, CreateOrderRequest(order=recording.order)).order
    roles = sorted({role for _, file_roles in recording.files for role in file_roles})
    request = CreateSessionRequest(
        order_id=order.order_id,
        channel=recording.channel,
        strategy_id=recording.strategy_id,
        participants=participants_of(tuple(roles)),
        idempotency_key=idempotency_key,
    )
    session: Session = gateway.call(gateway.sessions.CreateSession, request).session
    return session


def watch(gateway: Gateway, session_id: str, timeout_s: float) -> Iterator[WatchInspectionResponse]:
    """Every step until the report is there or the import has failed; a broken stream is taken up again.

    Raises CliError: TookTooLong, or Unreachable if nothing answers for `AWAY_S`.
    """
    deadline = time.monotonic() + timeout_s
    last_heard = time.monotonic()
    while (left_s := deadline - time.monotonic()) > 0:
        request = WatchInspectionRequest(session_id=session_id)
        stream = gateway.reports.WatchInspection(request, timeout=left_s, metadata=gateway.metadata)
        try:
            with readable_errors():
                for step in stream:
                    last_heard = time.monotonic()
                    yield step
                    if step.phase in LAST_PHASES:
                        return
        except Unreachable:
            if time.monotonic() - last_heard > AWAY_S:
                raise
            time.sleep(min(RECONNECT_AFTER_S, max(0.0, deadline - time.monotonic())))
    raise TookTooLong(
        f"no report after {timeout_s:.0f} s",
        "the inspection goes on",
        f"look again with `shuanglu status {session_id}` or `shuanglu report {session_id}`",
        "WAIT_TIMEOUT",
    )


def _existing(name: str) -> Path:
    file = Path(name)
    if not file.is_file():
        raise Usage(f"there is no file {name}", "", "check the path", "NO_FILE")
    return file


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Usage(f"cannot read {file}", str(error), "give a JSON file in UTF-8", "BAD_JSON") from None
