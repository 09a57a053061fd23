"""Overview: is every session being recorded and checked?"""

from scripts.dashboards.panels import (
    JOBS,
    Dashboard,
    Mood,
    Query,
    Row,
    bars,
    increase,
    lines,
    number,
    quantile,
    told,
)
from scripts.dashboards.slos import SLOS, budget_left

PROOFS = "shuanglu_signaling_call_proofs"
PROVEN, STALLED = '@, state="PROVEN"', '@, state="STALLED"'
SHOULD_BE_PROVEN = '@, state=~"PROVEN|STALLED"'
FINDINGS, UNSURE = "shuanglu_quality_findings_total", '@, outcome="UNSURE"'
UP = f'up{{@, job=~"{JOBS}"}}'
NO_ALERT = "nothing is wrong"
NOBODY_CALLS = "no call in this time"
ZERO_IS_GOOD = {"0": "✓ 0"}

RECORDED = Row(
    "Is every call being recorded?",
    (
        number(
            "Calls",
            "Calls that have not ended. No data: signaling is not scraped.",
            "short",
            Query(told("shuanglu_signaling_calls", where='@, state=~"WAITING|ACTIVE|HELD|ENDING"')),
            none="signaling is not scraped",
            runbook="ServiceDown",
        ),
        number(
            "Recordings proven",
            "Calls whose recorder wrote and stored within the last seconds, of all whose recording has begun and is"
            " not paused. No data: nobody is recorded now.",
            "percentunit",
            Query(
                f"{told(PROOFS, where=PROVEN)} / ({told(PROOFS, where=SHOULD_BE_PROVEN)} > 0)",
                empty=NOBODY_CALLS,
            ),
            none="no call",
            decimals=1,
            start=Mood.BAD,
            steps=((0.98, Mood.DOUBT), (0.9995, Mood.GOOD)),
            runbook="RecordingStalled",
        ),
        number(
            "Recordings that stand still",
            "Calls whose recording stands still though people are there: they are held or will end. No data:"
            " signaling is not scraped.",
            "short",
            Query(told(PROOFS, where=STALLED)),
            none="signaling is not scraped",
            start=Mood.GOOD,
            steps=((1, Mood.BAD),),
            words=ZERO_IS_GOOD,
            runbook="RecordingStalled",
        ),
        number(
            "Oldest second not stored",
            "How long the oldest finished segment on a media node has waited for the store. No data: no media node is"
            " scraped.",
            "s",
            Query("max(shuanglu_media_ingest_live_oldest_unconfirmed_seconds{@})"),
            none="no media node",
            decimals=1,
            start=Mood.GOOD,
            steps=((10, Mood.DOUBT), (30, Mood.BAD)),
            runbook="SpoolGrowing",
        ),
        number(
            "Services not answering",
            "Processes that Prometheus cannot read. No data: nothing of shuanglu is scraped.",
            "short",
            Query(f"count({UP} == 0) or 0 * count({UP})"),
            none="nothing is scraped",
            start=Mood.GOOD,
            steps=((1, Mood.BAD),),
            words=ZERO_IS_GOOD,
            runbook="ServiceDown",
        ),
        number(
            "Alerts that fire",
            "Of this product; each has a runbook. No data: none fires.",
            "short",
            Query('count(ALERTS{@, alertstate="firing", product="shuanglu"})', empty=NO_ALERT),
            none="✓ none",
            start=Mood.GOOD,
            steps=((1, Mood.BAD),),
        ),
        lines(
            "Recorded, and safe in the store",
            "Seconds of tracks a second: seen on the media nodes' disks, and confirmed by the store. The lines lie on"
            " each other with a lag of two or three seconds. No data: no media node is scraped.",
            "short",
            Query("sum(rate(shuanglu_media_ingest_live_seen_seconds_total{@}[$__rate_interval]))", "recorded"),
            Query("sum(rate(shuanglu_media_ingest_live_stored_seconds_total{@}[$__rate_interval]))", "in the store"),
            none="no media node",
            runbook="RecordingProvenBudgetBurns",
        ),
        lines(
            "Calls by what is known of their recording",
            "PROVEN is recorded and stored; PENDING has not begun; PAUSED is meant; STALLED must not be. No data:"
            " signaling is not scraped.",
            "short",
            Query(told(PROOFS, "state"), "{{state}}"),
            none="signaling is not scraped",
            stacked=True,
            runbook="RecordingStalled",
        ),
    ),
)

CHECKED = Row(
    "Is every recording being checked?",
    (
        number(
            "Live observation, p95",
            "From a segment safe in the store to what the models saw in it, calls only, 19 of 20. No data: no call was"
            " recorded in this time.",
            "s",
            Query(
                quantile(0.95, "shuanglu_observation_delay_seconds", where='@, lane="live"', window="$__range"),
                empty=NOBODY_CALLS,
            ),
            none="no call",
            decimals=1,
            start=Mood.GOOD,
            steps=((5, Mood.DOUBT), (10, Mood.BAD)),
            runbook="LiveLagOverTarget",
        ),
        number(
            "Events waiting",
            "That workers and services have yet to take, of all consumers. No data: no service is scraped.",
            "short",
            Query(told("shuanglu_bus_pending_events", "", "@")),
            none="nothing is scraped",
            start=Mood.GOOD,
            steps=((500, Mood.DOUBT), (5000, Mood.BAD)),
            runbook="LiveLagOverTarget",
        ),
        number(
            "Dead letters",
            "Events that a consumer gave up on; each is a hole in an inspection until it is sent again. No data:"
            " quality is not scraped.",
            "short",
            Query(told("shuanglu_bus_stream_messages", where='@, stream="DEADLETTER"')),
            none="quality is not scraped",
            start=Mood.GOOD,
            steps=((1, Mood.BAD),),
            words=ZERO_IS_GOOD,
            runbook="DeadLetters",
        ),
        number(
            "Longest wait of an import",
            "Since the oldest import that waits was accepted. No data: media-ingest is not scraped.",
            "s",
            Query("max(shuanglu_media_ingest_queue_oldest_seconds{@})"),
            none="media-ingest is not scraped",
            start=Mood.GOOD,
            steps=((900, Mood.DOUBT), (3600, Mood.BAD)),
            runbook="ImportsWaiting",
        ),
        number(
            "Report, p95",
            "From the last observation of a session to its report, 19 of 20. No data: no report in this time.",
            "s",
            Query(
                quantile(0.95, "shuanglu_report_delay_seconds", where="@tenant", window="$__range"),
                empty="no report was made in this time",
            ),
            none="no report",
            decimals=1,
            start=Mood.GOOD,
            steps=((10, Mood.DOUBT), (30, Mood.BAD)),
            runbook="ReportBudgetBurns",
        ),
        number(
            "Differences in the night",
            "Seconds of calls that the last nightly look did not find in the store, by number of places. No data: no"
            " look has ended since the service started.",
            "short",
            Query("sum(shuanglu_reconcile_differences{@})", empty="the nightly look has not been yet"),
            none="not looked yet",
            start=Mood.GOOD,
            steps=((1, Mood.BAD),),
            words=ZERO_IS_GOOD,
            runbook="ReconcileDifferences",
        ),
        lines(
            "Stored to observed, p95",
            "By worker and lane: live are calls, offline are imports, which may wait. No data: nothing was inspected"
            " in this time.",
            "s",
            Query(quantile(0.95, "shuanglu_observation_delay_seconds", "worker, lane"), "{{worker}} {{lane}}"),
            none="nothing inspected",
            steps=((5, Mood.DOUBT),),
            runbook="LiveObservationBudgetBurns",
        ),
        lines(
            "Sessions by state",
            "Of the last seven days. A session that stays in INSPECTING lacks an observation. No data: signaling is"
            " not scraped.",
            "short",
            Query(told("shuanglu_signaling_session_states", "state", "@tenant"), "{{state}}"),
            none="signaling is not scraped",
            stacked=True,
        ),
    ),
)

RESULT = Row(
    "What comes of it?",
    (
        bars(
            "Verdicts in this time",
            "Of all inspections that ended. No data: quality is not scraped.",
            "short",
            Query(increase("shuanglu_quality_verdicts_total", "outcome", "@tenant"), "{{outcome}}"),
            none="quality is not scraped",
            width=8,
            decimals=0,
        ),
        bars(
            "UNSURE by check",
            "Share of findings that a check could not decide. More than usual points at a model, a camera, a clock."
            " No data: no session was judged in this time.",
            "percentunit",
            Query(
                f"{increase(FINDINGS, 'check', UNSURE)} / ({increase(FINDINGS, 'check')} > 0)",
                "{{check}}",
                empty="no session was judged in this time",
            ),
            none="nothing judged",
            width=8,
            most=1,
            start=Mood.GOOD,
            steps=((0.1, Mood.DOUBT), (0.2, Mood.BAD)),
            runbook="UnsureMany",
        ),
        bars(
            "Error budget left, 30 days",
            "Of each objective; at 0 the promise of the month is broken. No data: nothing has happened that counts.",
            "percentunit",
            *(Query(budget_left(slo), slo.title, empty="nothing has happened that counts") for slo in SLOS),
            none="nothing counted yet",
            width=8,
            most=1,
            start=Mood.BAD,
            steps=((0.1, Mood.DOUBT), (0.4, Mood.GOOD)),
        ),
    ),
)

PAGE = Dashboard(
    "shuanglu-overview",
    "shuanglu · Overview",
    "Is every session being recorded and checked? Read from top to bottom: recording, inspection, result.",
    (RECORDED, CHECKED, RESULT),
)
