"""Metrics of signaling."""

from prometheus_client import Counter, Gauge

from shuanglu_signaling.domain.words import Channel, SessionState

ORDERS_CREATED = Counter("shuanglu_signaling_orders_total", "Orders that were taken or given again.")
SESSIONS_CREATED = Counter("shuanglu_signaling_sessions_total", "Sessions opened or given again.", ["channel"])
ADMISSIONS_REFUSED = Counter(
    "shuanglu_signaling_admissions_refused_total", "Orders that no session was opened for.", ["channel"]
)
STATES_REACHED = Counter("shuanglu_signaling_states_total", "Sessions that came to a state.", ["state"])
SESSION_STATES = Gauge(
    "shuanglu_signaling_session_states",
    "Sessions not older than seven days; each replica tells all of them.",
    ["tenant", "state"],
)
TURN_TTL_SECONDS = Gauge("shuanglu_signaling_turn_ttl_seconds", "How long TURN credentials that are given out hold.")

for _channel in Channel:
    SESSIONS_CREATED.labels(_channel.value)
    ADMISSIONS_REFUSED.labels(_channel.value)
for _state in SessionState:
    STATES_REACHED.labels(_state.value)
