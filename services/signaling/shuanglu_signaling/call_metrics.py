"""Metrics of calls. Labels come from closed sets, never an id."""

from collections import Counter as Tally
from collections.abc import Iterable, Sequence

from prometheus_client import Counter, Gauge

from shuanglu_signaling.domain import call_events as told
from shuanglu_signaling.domain.call import Call
from shuanglu_signaling.domain.call_events import CallEvent
from shuanglu_signaling.domain.call_table import CallState, EndReason, ProofState, StallAction

CALLS = Gauge("shuanglu_signaling_calls", "Calls that have not ended, by state.", ["state"])
PROOFS = Gauge("shuanglu_signaling_call_proofs", "Calls that go on, by what is known of their recording.", ["state"])
OPENED = Counter("shuanglu_signaling_calls_opened_total", "Calls that somebody has joined.")
ENDED = Counter("shuanglu_signaling_calls_ended_total", "Calls that ended, by reason.", ["reason"])
JOINS = Counter("shuanglu_signaling_joins_total", "Times that somebody has come in, or back.")
LIVES = Counter("shuanglu_signaling_connections_total", "Connections whose media arrived.")
DROPS = Counter("shuanglu_signaling_drops_total", "Connections that were lost while their participant was live.")
LEFT = Counter("shuanglu_signaling_leaves_total", "Times that somebody has left or did not come back in time.")
INVITATIONS = Counter("shuanglu_signaling_invitations_total", "Invitations, by what happened.", ["what"])
TAKES = Counter("shuanglu_signaling_takes_total", "Takes of nodes that were finished.")
STALLS = Counter("shuanglu_signaling_stalls_total", "Recordings that stood still, by what followed.", ["action"])
CLOSE_FAILURES = Counter(
    "shuanglu_signaling_close_failures_total", "Attempts to close a recording that did not succeed; they go on."
)

for _reason in EndReason:
    ENDED.labels(_reason.value)
for _action in StallAction:
    STALLS.labels(_action.value)

COUNTED: dict[type[CallEvent], Counter] = {
    told.CallOpened: OPENED,
    told.ParticipantJoined: JOINS,
    told.ParticipantLive: LIVES,
    told.ParticipantAway: DROPS,
    told.ParticipantLeft: LEFT,
    told.ParticipantInvited: INVITATIONS.labels("made"),
    told.InvitationRevoked: INVITATIONS.labels("revoked"),
    told.NodeFinished: TAKES,
}


def count(events: Sequence[CallEvent]) -> None:
    """Count what a change tells."""
    for event in events:
        if isinstance(event, told.CallEnded):
            ENDED.labels(event.reason.value).inc()
        elif isinstance(event, told.RecordingStalled):
            STALLS.labels(event.action.value).inc()
        elif type(event) in COUNTED:
            COUNTED[type(event)].inc()


def show(calls: Iterable[Call], proofs: Iterable[ProofState]) -> None:
    """How many calls there are."""
    states, known = Tally(call.state for call in calls), Tally(proofs)
    for state in CallState:
        CALLS.labels(state.value).set(states[state])
    for proof in ProofState:
        PROOFS.labels(proof.value).set(known[proof])
