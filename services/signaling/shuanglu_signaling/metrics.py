"""Metrics of signaling."""

from prometheus_client import Counter

ORDERS_CREATED = Counter("shuanglu_signaling_orders_total", "Orders that were taken or given again.")
SESSIONS_CREATED = Counter("shuanglu_signaling_sessions_total", "Sessions opened or given again.", ["channel"])
ADMISSIONS_REFUSED = Counter(
    "shuanglu_signaling_admissions_refused_total", "Orders that no session was opened for.", ["channel"]
)
STATES_REACHED = Counter("shuanglu_signaling_states_total", "Sessions that came to a state.", ["state"])
