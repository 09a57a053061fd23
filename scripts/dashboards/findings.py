"""Findings and verdicts: what inspections say, and how soon."""

from scripts.dashboards.overview import FINDINGS, UNSURE
from scripts.dashboards.panels import Dashboard, Mood, Query, Row, bars, increase, lines, quantile, rate, told

NO_QUALITY, NO_REPORTS = "quality is not scraped", "report is not scraped"
FACES_MOST = 100_000

VERDICTS = Row(
    "Verdicts",
    (
        bars(
            "Verdicts by tenant",
            "In the time that is looked at. Tenants that the setting metrics_tenants does not name are `other`. No"
            " data: quality is not scraped.",
            "short",
            Query(increase("shuanglu_quality_verdicts_total", "tenant, outcome", "@tenant"), "{{tenant}} {{outcome}}"),
            none=NO_QUALITY,
            width=8,
            decimals=0,
        ),
        lines(
            "Verdicts",
            "A minute, by outcome. No data: quality is not scraped.",
            "cpm",
            Query("60 * " + rate("shuanglu_quality_verdicts_total", "outcome", "@tenant"), "{{outcome}}"),
            none=NO_QUALITY,
            width=8,
            stacked=True,
        ),
        lines(
            "Sessions by state",
            "Of the last seven days. No data: signaling is not scraped.",
            "short",
            Query(told("shuanglu_signaling_session_states", "state", "@tenant"), "{{state}}"),
            none="signaling is not scraped",
            width=8,
            stacked=True,
        ),
    ),
)

CHECKS = Row(
    "Findings",
    (
        bars(
            "Findings by check and outcome",
            "In the time that is looked at. No data: quality is not scraped.",
            "short",
            Query(f"{increase(FINDINGS, 'check, outcome')} > 0", "{{check}} {{outcome}}"),
            none="nothing judged",
            decimals=0,
            height=12,
        ),
        bars(
            "UNSURE by check",
            "Share of findings that a check could not decide. No data: no session was judged in this time.",
            "percentunit",
            Query(f"{increase(FINDINGS, 'check', UNSURE)} / ({increase(FINDINGS, 'check')} > 0)", "{{check}}"),
            none="nothing judged",
            most=1,
            start=Mood.GOOD,
            steps=((0.1, Mood.DOUBT), (0.2, Mood.BAD)),
            height=12,
            runbook="UnsureMany",
        ),
        lines(
            "Observed to found, p95",
            "From the newest observation to the progress or verdict that holds it. No data: nothing was judged in"
            " this time.",
            "s",
            Query(quantile(0.95, "shuanglu_finding_delay_seconds"), "p95"),
            Query(quantile(0.5, "shuanglu_finding_delay_seconds"), "p50"),
            none="nothing judged",
            width=8,
            steps=((3, Mood.DOUBT),),
        ),
        lines(
            "Inspections in memory",
            "Sessions without a verdict, and partitions owned, of all replicas. All eight partitions must have an"
            " owner. No data: quality is not scraped.",
            "short",
            Query("sum(shuanglu_quality_open_folds{@})", "open inspections"),
            Query("sum(shuanglu_quality_owned_partitions{@})", "owned partitions"),
            none=NO_QUALITY,
            width=8,
        ),
        lines(
            "Judged late, or not at all",
            "In the last hour: judged without all observations, given more time, could not be judged, came after the"
            " verdict. No data: quality is not scraped.",
            "short",
            Query("sum(increase(shuanglu_quality_deadlines_total{@}[1h]))", "without all observations"),
            Query("sum(increase(shuanglu_quality_deadlines_extended_total{@}[1h]))", "given more time"),
            Query("sum(increase(shuanglu_quality_judge_failures_total{@}[1h]))", "could not be judged"),
            Query("sum(increase(shuanglu_quality_events_late_total{@}[1h]))", "came after the verdict"),
            none=NO_QUALITY,
            width=8,
            runbook="JudgingFails",
        ),
    ),
)

REPORTS = Row(
    "Reports",
    (
        lines(
            "From last observation to report",
            "The objective is 10 s for 19 of 20. No data: no report in this time.",
            "s",
            *(
                Query(quantile(share, "shuanglu_report_delay_seconds", where="@tenant"), name)
                for share, name in ((0.5, "p50"), (0.95, "p95"))
            ),
            none="no report",
            width=8,
            steps=((10, Mood.BAD),),
            runbook="ReportBudgetBurns",
        ),
        lines(
            "Steps of a report, p95",
            "Loading, printing, storing. No data: no report in this time.",
            "s",
            Query(quantile(0.95, "shuanglu_report_step_seconds", "step"), "{{step}}"),
            none="no report",
            width=8,
        ),
        lines(
            "Reports and replays",
            "A minute. No data: report is not scraped.",
            "cpm",
            Query("60 * " + rate("shuanglu_report_reports_total", "verdict"), "{{verdict}}"),
            Query("60 * " + rate("shuanglu_report_replay_requests_total", "outcome"), "replay: {{outcome}}"),
            Query("60 * " + rate("shuanglu_report_stills_missing_total"), "stills missing"),
            none=NO_REPORTS,
            width=8,
        ),
    ),
)

FACES = Row(
    "Faces stored",
    (
        lines(
            "Face templates, against the line of 100,000",
            "Templates in the store that have not expired. From 100,000 on China's rules ask for a filing. No data:"
            " face-check is not scraped.",
            "short",
            Query(told("shuanglu_face_check_stored_faces"), "templates"),
            Query(f"vector({FACES_MOST})", "the line"),
            none="face-check is not scraped",
            steps=((90_000, Mood.DOUBT), (100_000, Mood.BAD)),
            runbook="FacesNearLimit",
        ),
        lines(
            "Faces compared and kept",
            "A minute. No data: face-check is not scraped.",
            "cpm",
            Query("60 * " + rate("shuanglu_face_check_comparisons_total", "template"), "compared: {{template}}"),
            Query("60 * " + rate("shuanglu_face_check_templates_total", "template"), "kept: {{template}}"),
            none="face-check is not scraped",
        ),
    ),
)

PAGE = Dashboard(
    "shuanglu-findings",
    "shuanglu · Findings and verdicts",
    "What inspections say, how often they cannot say, and how soon the report is there.",
    (VERDICTS, CHECKS, REPORTS, FACES),
)
