"""The four objectives, and the series that their budgets are reckoned from.

Each objective is two amounts: of everything that counts, and of what was bad. Windows add them up, so that an hour with
few calls weighs little. Windows and factors are those of the SRE workbook, chapter 5.
"""

from dataclasses import dataclass

FAST, SLOW = ("5m", "30m", "1h", "2h", "6h"), ("1d", "3d", "30d")
BAD, ALL = "shuanglu:slo_bad:amount", "shuanglu:slo_all:amount"
# (long window, short window, how many times the budget's even pace)
PAGES = (("1h", "5m", 14.4), ("6h", "30m", 6.0))
TICKETS = (("1d", "2h", 3.0), ("3d", "6h", 1.0))
SERVERS = "signaling|media-ingest|quality|report"
FAULTS = "UNAVAILABLE|INTERNAL|UNKNOWN|DATA_LOSS"


@dataclass(frozen=True, slots=True)
class Slo:
    """`objective` is the share that must be good over 30 days; `bad` and `all` keep the label namespace alone."""

    name: str
    title: str
    alert: str
    objective: float
    promise: str
    bad: str
    all: str

    @property
    def budget(self) -> float:
        """The share that may be bad."""
        return round(1 - self.objective, 6)


def within(metric: str, seconds: str, where: str) -> tuple[str, str]:
    """Amounts of a latency: what took longer, and everything, a second."""
    everything = f"sum by (namespace) (rate({metric}_count{where}[5m]))"
    # A histogram's bounds are printed as Python prints floats.
    inside = where[:-1] + f'{"," if where != "{}" else ""}le="{seconds}"}}'
    good = f"sum by (namespace) (rate({metric}_bucket{inside}[5m]))"
    return f"{everything} - {good}", everything


def proofs(states: str) -> str:
    """Calls whose recording is in one of some states; every replica tells of all calls."""
    return f'sum by (namespace) (max by (namespace, state) (shuanglu_signaling_call_proofs{{state=~"{states}"}}))'


_REQUESTS = 'sum by (namespace) (rate(envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix="public"%s}[5m]))'
_SERVED = _REQUESTS % ""
_REFUSED = _REQUESTS % ',envoy_response_code_class="5"'
_FAILED = f'sum by (namespace) (rate(shuanglu_rpc_seconds_count{{job=~"{SERVERS}",code=~"{FAULTS}"}}[5m]))'
_LIVE = within("shuanglu_observation_delay_seconds", "5.0", '{lane="live"}')
_REPORT = within("shuanglu_report_delay_seconds", "10.0", "{}")

SLOS = (
    Slo(
        "recording_proven",
        "Recording proven",
        "RecordingProvenBudgetBurns",
        0.9995,
        "99.95 % of the time of calls that are being recorded, the recording is known to be written and stored",
        proofs("STALLED"),
        proofs("PROVEN|STALLED"),
    ),
    Slo(
        "live_observation",
        "Live observation",
        "LiveObservationBudgetBurns",
        0.95,
        "95 % of what the models see in calls is on the bus 5 s after it was safe in the store",
        *_LIVE,
    ),
    Slo(
        "report",
        "Report",
        "ReportBudgetBurns",
        0.95,
        "95 % of reports are there 10 s after the last observation of their session",
        *_REPORT,
    ),
    Slo(
        "api",
        "API",
        "ApiBudgetBurns",
        0.999,
        "99.9 % of requests end without a fault of ours: no 5xx at the gateway, no failed call behind it (a JSON"
        " caller's error counts at both, so the figure is rather too strict)",
        f"({_REFUSED} or 0 * {_SERVED}) + ({_FAILED} or 0 * {_SERVED})",
        _SERVED,
    ),
)


def error_ratio(window: str) -> str:
    """Name of the recorded share of bad in a window."""
    return f"shuanglu:slo_error_ratio:{window}"


def burns(slo: Slo, pairs: tuple[tuple[str, str, float], ...]) -> str:
    """The budget goes faster than a pace over a long window, and still does."""
    where = f'{{slo="{slo.name}"}}'
    return "\nor\n".join(
        f"({error_ratio(long)}{where} > {factor * slo.budget:g} and {error_ratio(short)}{where} >"
        f" {factor * slo.budget:g})"
        for long, short, factor in pairs
    )


def budget_left(slo: Slo) -> str:
    """For a panel: 1 is untouched, 0 is used up."""
    return f'1 - max({error_ratio("30d")}{{@, slo="{slo.name}"}}) / {slo.budget:g}'
