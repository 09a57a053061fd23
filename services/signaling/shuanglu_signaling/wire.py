"""Between the contracts and the domain. An enum's unspecified value is refused where the domain needs a real one."""

from shuanglu.common.v1 import types_pb2
from shuanglu.session.v1 import session_pb2, session_service_pb2
from shuanglu_signaling.domain import session as sessions
from shuanglu_signaling.domain.listing import SessionFilter
from shuanglu_signaling.domain.order import Customer, Order
from shuanglu_signaling.domain.session import Inspection, Participant, Session, SessionRequest
from shuanglu_signaling.domain.words import Channel, ParticipantRole, SessionState
from shuanglu_signaling.errors import FilterInvalid

CHANNELS = {value: types_pb2.Channel.Value(f"CHANNEL_{value}") for value in Channel}
ROLES = {value: types_pb2.ParticipantRole.Value(f"PARTICIPANT_ROLE_{value}") for value in ParticipantRole}
STATES = {value: session_pb2.SessionState.Value(f"SESSION_STATE_{value}") for value in SessionState}
CHANNEL_OF = {number: value for value, number in CHANNELS.items()}
ROLE_OF = {number: value for value, number in ROLES.items()}
STATE_OF = {number: value for value, number in STATES.items()}


def read_order(message: session_pb2.Order) -> Order:
    """An order as it came; not validated."""
    customer = message.customer
    return Order(
        order_id=message.order_id,
        order_no=message.order_no,
        product=message.product,
        amount_fen=message.amount.amount_fen,
        currency=message.amount.currency,
        purpose=message.purpose,
        term_months=message.term_months,
        customer=Customer(customer.customer_no, customer.name, customer.id_number),
        branch=message.branch,
        agent_no=message.agent_no,
        created_at_us=message.created_at_us,
    )


def write_order(order: Order) -> session_pb2.Order:
    """An order as it goes out."""
    customer = order.customer
    return session_pb2.Order(
        order_id=order.order_id,
        order_no=order.order_no,
        product=order.product,
        amount=types_pb2.Money(amount_fen=order.amount_fen, currency=order.currency),
        purpose=order.purpose,
        term_months=order.term_months,
        customer=session_pb2.Customer(
            customer_no=customer.customer_no, name=customer.name, id_number=customer.id_number
        ),
        branch=order.branch,
        agent_no=order.agent_no,
        created_at_us=order.created_at_us,
    )


def read_session_request(message: session_service_pb2.CreateSessionRequest) -> SessionRequest:
    """Raises SessionInvalid for an unspecified channel or role, and for people that cannot be named."""
    channel = CHANNEL_OF.get(message.channel)
    required = ("必填", "is required")
    sessions.demand(channel is not None, "channel", *required)
    known = all(person.role in ROLE_OF for person in message.participants)
    sessions.demand(known, "participants.role", *required)
    return SessionRequest(
        order_id=message.order_id,
        channel=channel or Channel.IMPORT,
        strategy_id=message.strategy_id,
        participants=sessions.name_participants(
            [(person.participant_id, ROLE_OF[person.role]) for person in message.participants]
        ),
        idempotency_key=message.idempotency_key,
    )


def read_filter(message: session_service_pb2.ListSessionsRequest) -> SessionFilter:
    """Raises FilterInvalid for numbers that no enum has."""
    if message.state and message.state not in STATE_OF:
        raise FilterInvalid("没有此状态。There is no such state.", field="state")
    if message.channel and message.channel not in CHANNEL_OF:
        raise FilterInvalid("没有此渠道。There is no such channel.", field="channel")
    return SessionFilter(
        order_id=message.order_id,
        state=STATE_OF.get(message.state),
        channel=CHANNEL_OF.get(message.channel),
        created_from_us=message.created_from_us,
        created_to_us=message.created_to_us,
    )


def write_participant(participant: Participant) -> types_pb2.Participant:
    """A participant as it goes out."""
    return types_pb2.Participant(participant_id=participant.participant_id, role=ROLES[participant.role])


def write_inspection(inspection: Inspection) -> types_pb2.Inspection:
    """What the workers are told."""
    return types_pb2.Inspection(
        face_frames_per_kilosecond=inspection.face_frames_per_kilosecond, languages=inspection.languages
    )


def write_session(session: Session) -> session_pb2.Session:
    """A session as it goes out."""
    progress = session.progress
    return session_pb2.Session(
        session_id=session.session_id,
        order_id=session.order_id,
        channel=CHANNELS[session.channel],
        strategy_id=session.strategy_id,
        strategy_version=session.strategy_version,
        participants=[write_participant(person) for person in session.participants],
        state=STATES[progress.state],
        failure_reason=progress.failure_reason,
        inspection=write_inspection(session.inspection),
        created_at_us=session.created_at_us,
        updated_at_us=progress.updated_at_us,
    )
