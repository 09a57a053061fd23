"""Metrics of connections to the media servers."""

from prometheus_client import Counter, Gauge, Histogram

from shuanglu_signaling.domain.whip_resource import Way

CONNECTIONS_MADE = Counter("shuanglu_signaling_negotiations_total", "Connections that were negotiated.", ["way"])
CONNECTIONS_ENDED = Counter("shuanglu_signaling_negotiations_ended_total", "Connections that are over.", ["way"])
OFFERS_REFUSED = Counter("shuanglu_signaling_offers_refused_total", "Offers that were refused.", ["way", "reason"])
NEGOTIATION_SECONDS = Histogram(
    "shuanglu_signaling_negotiation_seconds",
    "Time from an offer to its answer.",
    ["way"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
MEDIA_NODES = Gauge("shuanglu_signaling_media_nodes", "Media servers that are known, well or not.")
NODES_LOST = Counter("shuanglu_signaling_media_nodes_lost_total", "Media servers that were restarted.")
TAKEN_OVER = Counter("shuanglu_signaling_connections_taken_over_total", "Connections taken over from a dead replica.")
# From 0 on: a rate sees the first connection of a replica, too.
for _way in Way:
    CONNECTIONS_MADE.labels(_way.value)
    CONNECTIONS_ENDED.labels(_way.value)
    NEGOTIATION_SECONDS.labels(_way.value)
