"""How many workers a lag asks for: KEDA's scaler for JetStream, in Python, for the chart's test and simulations.

KEDA adds what waits and what is in hand of a consumer, and has the autoscaler keep `lag_threshold` of it a worker.
"""

import math


def lag_threshold(target_latency_s: float, seconds_per_event: float, in_hand: int = 1) -> int:
    """Events that one worker does within the target; at least 1. The chart computes the same."""
    return max(1, math.floor(target_latency_s / seconds_per_event * in_hand))


def wanted_workers(pending: int, unacknowledged: int, threshold: int, least: int, most: int) -> int:
    """Workers for what waits and what is in hand, within bounds."""
    return max(least, min(most, math.ceil((pending + unacknowledged) / threshold)))
