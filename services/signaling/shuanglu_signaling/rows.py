"""Between rows and the domain."""

import json
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Row

from shuanglu_common.sealing import Sealer
from shuanglu_signaling.domain.lifecycle import Failure, Progress
from shuanglu_signaling.domain.order import Customer, Order
from shuanglu_signaling.domain.script import RecordingPolicy, ScriptNode
from shuanglu_signaling.domain.session import Inspection, Participant, Session
from shuanglu_signaling.domain.words import Channel, ParticipantRole

CUSTOMER = "customer"
SCRIPT = TypeAdapter(tuple[ScriptNode, ...])
RECORDING = TypeAdapter(RecordingPolicy)


def order_values(tenant: str, order: Order, sealer: Sealer) -> dict[str, object]:
    """A row of `orders`; name and identity number are sealed for this order alone."""
    secret = json.dumps({"name": order.customer.name, "id_number": order.customer.id_number}, ensure_ascii=False)
    return {
        "tenant": tenant,
        "order_id": order.order_id,
        "order_no": order.order_no,
        "product": order.product,
        "amount_fen": order.amount_fen,
        "currency": order.currency,
        "purpose": order.purpose,
        "term_months": order.term_months,
        "customer_no": order.customer.customer_no,
        "customer_sealed": sealer.seal(tenant, order.order_id, CUSTOMER, secret.encode()),
        "branch": order.branch,
        "agent_no": order.agent_no,
        "created_at_us": order.created_at_us,
    }


def read_order(row: Row[Any], sealer: Sealer) -> Order:
    """Raises SealBroken if the customer's data were changed or moved."""
    secret = json.loads(sealer.open(row.tenant, row.order_id, CUSTOMER, row.customer_sealed))
    return Order(
        order_id=row.order_id,
        order_no=row.order_no,
        product=row.product,
        amount_fen=row.amount_fen,
        currency=row.currency,
        purpose=row.purpose,
        term_months=row.term_months,
        customer=Customer(row.customer_no, secret["name"], secret["id_number"]),
        branch=row.branch,
        agent_no=row.agent_no,
        created_at_us=row.created_at_us,
    )


def facts_of(progress: Progress) -> dict[str, object]:
    """The facts as JSON, always in the same order."""
    failures = [[each.import_id, each.failed_at_us, each.reason] for each in sorted(progress.failures)]
    return {
        "requested": sorted(progress.requested),
        "failures": failures,
        "live": progress.live,
        "nothing": progress.nothing,
        "completed": progress.completed,
        "reported": progress.reported,
    }


def read_progress(row: Row[Any]) -> Progress:
    """The facts of a row."""
    facts = row.facts
    return Progress(
        requested=frozenset(facts["requested"]),
        failures=frozenset(Failure(at_us, import_id, reason) for import_id, at_us, reason in facts["failures"]),
        live=facts.get("live", False),
        nothing=facts.get("nothing", False),
        completed=facts["completed"],
        reported=facts["reported"],
        updated_at_us=row.updated_at_us,
    )


def progress_values(progress: Progress) -> dict[str, object]:
    """The columns that change in a session's life."""
    return {
        "facts": facts_of(progress),
        "state": progress.state.value,
        "updated_at_us": progress.updated_at_us,
    }


def session_values(tenant: str, session: Session, idempotency_key: str, request_digest: str) -> dict[str, object]:
    """A row of `sessions`; no key is NULL, so that it never collides."""
    inspection = session.inspection
    return {
        "tenant": tenant,
        "session_id": session.session_id,
        "order_id": session.order_id,
        "channel": session.channel.value,
        "strategy_id": session.strategy_id,
        "strategy_version": session.strategy_version,
        "participants": [[person.participant_id, person.role.value] for person in session.participants],
        "inspection": {
            "face_frames_per_kilosecond": inspection.face_frames_per_kilosecond,
            "languages": list(inspection.languages),
        },
        "script": SCRIPT.dump_python(session.script, mode="json"),
        "recording": RECORDING.dump_python(session.recording, mode="json"),
        "idempotency_key": idempotency_key or None,
        "request_digest": request_digest,
        "created_at_us": session.created_at_us,
        **progress_values(session.progress),
    }


def read_session(row: Row[Any]) -> Session:
    """A session as stored."""
    return Session(
        session_id=row.session_id,
        order_id=row.order_id,
        channel=Channel(row.channel),
        strategy_id=row.strategy_id,
        strategy_version=row.strategy_version,
        participants=tuple(Participant(given, ParticipantRole(role)) for given, role in row.participants),
        inspection=Inspection(row.inspection["face_frames_per_kilosecond"], tuple(row.inspection["languages"])),
        created_at_us=row.created_at_us,
        progress=read_progress(row),
        script=SCRIPT.validate_python(row.script),
        recording=RECORDING.validate_python(row.recording),
    )
