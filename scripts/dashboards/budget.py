"""SLOs and error budget: what was promised, what is left of it, how fast it goes."""

from scripts.dashboards.panels import Dashboard, Mood, Panel, Query, Row, lines, number
from scripts.dashboards.slos import ALL, BAD, PAGES, SLOS, TICKETS, Slo, budget_left, error_ratio

COUNTS = "nothing has happened that counts"
PACES = ((1.0, Mood.DOUBT), (PAGES[-1][2], Mood.BAD))


def share(slo: Slo, window: str) -> str:
    """The recorded share of bad."""
    return f'max({error_ratio(window)}{{@, slo="{slo.name}"}})'


def row(slo: Slo) -> Row:
    """What is left, what is now, how fast it goes, how much there is."""
    return Row(f"{slo.title}: {slo.promise}", (left(slo), now(slo), pace(slo), amount(slo)))


def left(slo: Slo) -> Panel:
    """The budget that is left."""
    return number(
        "Budget left, 30 days",
        "1 is untouched, 0 is used up: then changes wait until it has recovered. No data: nothing has happened that"
        " counts.",
        "percentunit",
        Query(budget_left(slo), empty=COUNTS),
        none="nothing counted yet",
        height=8,
        decimals=1,
        start=Mood.BAD,
        steps=((0.1, Mood.DOUBT), (0.4, Mood.GOOD)),
        runbook=slo.alert,
    )


def now(slo: Slo) -> Panel:
    """The share that is good."""
    return number(
        "Good, last hour",
        f"Promised: {slo.objective:.2%}. No data: nothing has happened that counts.",
        "percentunit",
        Query(f"1 - {share(slo, '1h')}", empty=COUNTS),
        none="nothing counted yet",
        height=8,
        decimals=2,
        start=Mood.BAD,
        steps=((slo.objective, Mood.GOOD),),
        runbook=slo.alert,
    )


def pace(slo: Slo) -> Panel:
    """How fast the budget goes."""
    fast = ", ".join(f"{factor:g} over {long}" for long, _, factor in PAGES)
    slow = ", ".join(f"{factor:g} over {long}" for long, _, factor in TICKETS)
    return lines(
        "Pace",
        f"How many times faster than even the budget goes: at 1 it lasts exactly 30 days. Pages at {fast}; tickets at"
        f" {slow}. No data: nothing has happened that counts.",
        "short",
        *(Query(f"{share(slo, window)} / {slo.budget:g}", window, empty=COUNTS) for window in ("5m", "1h", "6h", "1d")),
        none="nothing counted yet",
        width=8,
        steps=PACES,
        runbook=slo.alert,
    )


def amount(slo: Slo) -> Panel:
    """How much there is that counts."""
    return lines(
        "What counts, and what of it was bad",
        "Calls that are recorded; else events a second. A pace from few events says little. No data: no service"
        " that tells is scraped.",
        "short",
        Query(f'sum({ALL}{{@, slo="{slo.name}"}})', "all"),
        Query(f'sum({BAD}{{@, slo="{slo.name}"}})', "bad"),
        none="not scraped",
        width=8,
        runbook=slo.alert,
    )


PAGE = Dashboard(
    "shuanglu-slo",
    "shuanglu · SLOs and error budget",
    "Four promises over 30 days. Recording rules of the chart must be installed (monitoring.rules).",
    tuple(row(slo) for slo in SLOS),
)
