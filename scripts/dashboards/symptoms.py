"""Alerts on symptoms: what hurts sessions now, or will within hours."""

from scripts.dashboards.alerts import Alert, Case, falling, growing, steady
from scripts.dashboards.panels import JOBS

LIVE = "shuanglu_media_ingest_live_"
INGEST = "shuanglu_media_ingest_"
PROOFS = "shuanglu_signaling_call_proofs"
DELAY = "shuanglu_observation_delay_seconds"
BUILD = "shuanglu_build_info"
DAY_S = 86_400


def one(name: str, value: str, at: str = "20m", **labels: str) -> Case:
    """A case of one series."""
    return Case({name: value}, at, labels)


def absent_worker(worker: str) -> str:
    """The product is there and this worker takes no calls."""
    taken = f'{DELAY}_count{{lane="live",worker=~"{worker}.*"}}'
    here = f'count by (namespace) ({BUILD}{{service="signaling"}})'
    return f'label_replace({here} unless on (namespace) count by (namespace) ({taken}), "worker", "{worker}", "", "")'


RECORDING = (
    Alert(
        "RecordingStalled",
        "page",
        f'max by (namespace) ({PROOFS}{{state="STALLED"}}) > 0',
        "1m",
        "A call's recording stands still",
        "People are in a call and their media does not reach the disk or the store. The call is held, and ends if it"
        " does not come back.",
        one(PROOFS + '{state="STALLED"}', steady(1)),
        one(PROOFS + '{state="STALLED"}', "0 0 1 0 0 0 1 0 0x30"),
    ),
    Alert(
        "SpoolGrowing",
        "page",
        f"max by (namespace, instance) ({LIVE}oldest_unconfirmed_seconds) > 30",
        "2m",
        "A media node's spool grows: {{ $labels.instance }}",
        "A finished segment has waited more than 30 s for the store. Nothing is lost while the disk has room; proof"
        " of the recordings waits.",
        one(LIVE + 'oldest_unconfirmed_seconds{instance="10.0.0.5:9100"}', growing(0, 60), instance="10.0.0.5:9100"),
        one(LIVE + 'oldest_unconfirmed_seconds{instance="10.0.0.5:9100"}', "2 5 40 3 12 2x60"),
    ),
    Alert(
        "RecordingDamaged",
        "page",
        f"sum by (namespace) (increase({LIVE}damaged_files_total[15m]) + increase({LIVE}unreadable_sessions_total[15m])"
        ") > 0",
        "0m",
        "Files in a media node's spool are damaged",
        "A recording's file became shorter or is no recording, or a start could not go on with a session. Seconds of"
        " a call may be lost.",
        Case({LIVE + "damaged_files_total": growing(0, 1), LIVE + "unreadable_sessions_total": steady(0)}),
        Case({LIVE + "damaged_files_total": steady(4), LIVE + "unreadable_sessions_total": steady(0)}),
    ),
    Alert(
        "NoMediaNode",
        "page",
        "max by (namespace) (shuanglu_signaling_media_nodes) == 0",
        "2m",
        "signaling knows no media node",
        "Nobody can join a call.",
        one("shuanglu_signaling_media_nodes", steady(0)),
        one("shuanglu_signaling_media_nodes", "2 2 0 0 2x60", "4m"),
    ),
    Alert(
        "StoreFailing",
        "page",
        f"(sum by (namespace) (increase({LIVE}store_failures_total[5m])) > 5) or (sum by (namespace)"
        f' (increase({INGEST}outages_total{{reason=~"STORE.*"}}[5m])) > 5)',
        "3m",
        "The object store refuses or does not answer",
        "Segments wait in the spools, imports stand, reports cannot be stored. Nothing is removed before the store"
        " has confirmed it.",
        one(LIVE + "store_failures_total", growing(0, 6)),
        one(LIVE + "store_failures_total", "0 0 0 2 2x60"),
    ),
    Alert(
        "BusRefuses",
        "page",
        f"max by (namespace, instance) ({LIVE}untold_events) > 50",
        "3m",
        "Stored segments are unknown to the bus: {{ $labels.instance }}",
        "A media node cannot publish. Recordings are safe; nobody inspects them.",
        one(LIVE + 'untold_events{instance="10.0.0.5:9100"}', growing(0, 30), instance="10.0.0.5:9100"),
        one(LIVE + 'untold_events{instance="10.0.0.5:9100"}', "0 3 80 2 0x60"),
    ),
    Alert(
        "DiskFilling",
        "page",
        f"(min by (namespace, instance) ({LIVE}spool_free_bytes) < 2e9 or min by (namespace, instance)"
        f" ({INGEST}spool_free_bytes) < 2e9) or (min by (namespace, instance)"
        f" (predict_linear({LIVE}spool_free_bytes[1h], 14400)) < 0 or min by (namespace, instance)"
        f" (predict_linear({INGEST}spool_free_bytes[1h], 14400)) < 0)",
        "10m",
        "The disk of a spool fills up: {{ $labels.instance }}",
        "Less than 2 GB are free, or none will be within four hours at this pace. A full disk ends recordings, and"
        " refuses uploads.",
        one(LIVE + 'spool_free_bytes{instance="10.0.0.5:9100"}', falling(4e10, 3e8), "40m", instance="10.0.0.5:9100"),
        one(LIVE + 'spool_free_bytes{instance="10.0.0.5:9100"}', falling(4e10, 1e6), "40m"),
    ),
    Alert(
        "ReconcileDifferences",
        "page",
        "sum by (namespace, kind) (shuanglu_reconcile_differences) > 0",
        "0m",
        "The store lacks what a call had: {{ $labels.kind }}",
        "The nightly comparison of calls with the store found places that differ.",
        one('shuanglu_reconcile_differences{kind="SECONDS_MISSING"}', steady(2), kind="SECONDS_MISSING"),
        one('shuanglu_reconcile_differences{kind="SECONDS_MISSING"}', steady(0)),
    ),
    Alert(
        "ReconcileOverdue",
        "ticket",
        f"time() - (max by (namespace) (shuanglu_reconcile_finished_timestamp_seconds) > 0) > {2 * DAY_S}",
        "10m",
        "Calls were not compared with the store for two days",
        "The nightly look does not end, or is switched off.",
        one("shuanglu_reconcile_finished_timestamp_seconds", steady(1), "50h"),
        one("shuanglu_reconcile_finished_timestamp_seconds", steady(1), "20h"),
    ),
)

BUS = (
    Alert(
        "DeadLetters",
        "ticket",
        'max by (namespace) (shuanglu_bus_stream_messages{stream="DEADLETTER"}) > 0',
        "1m",
        "A consumer gave up on events",
        "Each dead letter is a hole in an inspection, a report or a session's state until it is sent again.",
        one('shuanglu_bus_stream_messages{stream="DEADLETTER"}', steady(3)),
        Case(
            {
                'shuanglu_bus_stream_messages{stream="DEADLETTER"}': steady(0),
                'shuanglu_bus_stream_messages{stream="MEDIA"}': steady(900),
            }
        ),
    ),
    Alert(
        "ConsumersMissing",
        "page",
        "max by (namespace) (shuanglu_bus_consumers_missing) > 0",
        "5m",
        "The bus lacks durable consumers",
        "Events of a kind are taken by nobody.",
        one("shuanglu_bus_consumers_missing", steady(1)),
        one("shuanglu_bus_consumers_missing", "2 1 0x60"),
    ),
    Alert(
        "BacklogStands",
        "page",
        "max by (namespace, consumer) (shuanglu_bus_pending_events) > 0 and on (namespace, consumer)"
        " sum by (namespace, consumer) (increase(shuanglu_bus_handled_total[10m])) == 0",
        "10m",
        "Events wait and nobody takes them: {{ $labels.consumer }}",
        "A consumer has events before it and was done with none for ten minutes.",
        Case(
            {
                'shuanglu_bus_pending_events{consumer="report-build"}': steady(7),
                'shuanglu_bus_handled_total{consumer="report-build",outcome="done"}': steady(40),
            },
            "30m",
            {"consumer": "report-build"},
        ),
        Case(
            {
                'shuanglu_bus_pending_events{consumer="report-build"}': steady(7),
                'shuanglu_bus_handled_total{consumer="report-build",outcome="done"}': growing(40, 3),
            },
            "30m",
        ),
    ),
    Alert(
        "RedeliveriesMany",
        "ticket",
        "sum by (namespace, consumer) (increase(shuanglu_bus_redelivered_total[30m])) > 20 and on (namespace, consumer)"
        " sum by (namespace, consumer) (increase(shuanglu_bus_redelivered_total[30m])) / sum by (namespace, consumer)"
        " (increase(shuanglu_bus_handled_total[30m])) > 0.1",
        "10m",
        "Events come again and again: {{ $labels.consumer }}",
        "More than one delivery in ten is not the first: handlers fail, die or are too slow.",
        Case(
            {
                'shuanglu_bus_redelivered_total{consumer="asr-windows-live"}': growing(0, 5),
                'shuanglu_bus_handled_total{consumer="asr-windows-live",outcome="done"}': growing(0, 20),
            },
            "45m",
            {"consumer": "asr-windows-live"},
        ),
        Case(
            {
                'shuanglu_bus_redelivered_total{consumer="asr-windows-live"}': growing(0, 1),
                'shuanglu_bus_handled_total{consumer="asr-windows-live",outcome="done"}': growing(0, 200),
            },
            "45m",
        ),
    ),
    Alert(
        "OutboxStuck",
        "page",
        "min_over_time((max by (namespace, job) (shuanglu_outbox_pending_events))[5m:30s]) > 0 and on (namespace, job)"
        " sum by (namespace, job) (increase(shuanglu_bus_published_total[5m])) == 0",
        "2m",
        "Events stay in the database of {{ $labels.job }}",
        "They are written down, the bus has not confirmed them, and nothing was published for five minutes.",
        Case(
            {
                'shuanglu_outbox_pending_events{job="quality"}': steady(9),
                'shuanglu_bus_published_total{job="quality"}': steady(50),
            },
            labels={"job": "quality"},
        ),
        Case(
            {
                'shuanglu_outbox_pending_events{job="quality"}': steady(9),
                'shuanglu_bus_published_total{job="quality"}': growing(50, 30),
            },
        ),
    ),
    Alert(
        "ClockSkew",
        "ticket",
        "max by (namespace, service) (abs(shuanglu_clock_offset_seconds)) > 0.5",
        "5m",
        "Clocks are apart: {{ $labels.service }}",
        "A service's clock and PostgreSQL's, or a recorder's and signaling's, differ by more than half a second."
        " Times on reports are wrong by as much.",
        one('shuanglu_clock_offset_seconds{service="report"}', steady(-2), service="report"),
        one('shuanglu_clock_offset_seconds{service="report"}', steady(0.02)),
    ),
)

WORK = (
    Alert(
        "LiveLagOverTarget",
        "ticket",
        f'histogram_quantile(0.95, sum by (namespace, worker, le) (rate({DELAY}_bucket{{lane="live"}}[10m]))) > 10',
        "10m",
        "Live inspection lags: {{ $labels.worker }}",
        "One observation in twenty comes more than 10 s after its segment was stored: agents see alerts too late.",
        Case(
            {
                DELAY + '_bucket{lane="live",worker="asr-tracks",le="10.0"}': growing(0, 10),
                DELAY + '_bucket{lane="live",worker="asr-tracks",le="20.0"}': growing(0, 60),
                DELAY + '_bucket{lane="live",worker="asr-tracks",le="+Inf"}': growing(0, 60),
            },
            "30m",
            {"worker": "asr-tracks"},
        ),
        Case(
            {
                DELAY + '_bucket{lane="live",worker="asr-tracks",le="10.0"}': growing(0, 60),
                DELAY + '_bucket{lane="live",worker="asr-tracks",le="20.0"}': growing(0, 60),
                DELAY + '_bucket{lane="live",worker="asr-tracks",le="+Inf"}': growing(0, 60),
            },
            "30m",
        ),
    ),
    Alert(
        "LiveWorkersAbsent",
        "page",
        " or ".join(absent_worker(worker) for worker in ("face-check", "asr")),
        "5m",
        "No worker takes calls: {{ $labels.worker }}",
        "Calls are recorded and not inspected. A live pool must never be at zero.",
        Case(
            {BUILD + '{service="signaling"}': steady(1), DELAY + '_count{lane="live",worker="asr-tracks"}': steady(0)},
            labels={"worker": "face-check"},
        ),
        Case(
            {
                BUILD + '{service="signaling"}': steady(1),
                DELAY + '_count{lane="live",worker="asr-tracks"}': steady(0),
                DELAY + '_count{lane="live",worker="face-check"}': steady(0),
            },
        ),
    ),
    Alert(
        "ImportsWaiting",
        "ticket",
        f"max by (namespace, size) ({INGEST}queue_oldest_seconds) > 3600",
        "10m",
        "Imports have waited for an hour: {{ $labels.size }}",
        "Recordings were accepted and nobody has begun with them.",
        one(INGEST + 'queue_oldest_seconds{size="small"}', growing(3600, 60), size="small"),
        one(INGEST + 'queue_oldest_seconds{size="small"}', "3000 3660 20 80x60"),
    ),
    Alert(
        "JudgingFails",
        "ticket",
        "sum by (namespace) (increase(shuanglu_quality_judge_failures_total[15m])) > 3",
        "5m",
        "Sessions cannot be judged",
        "quality tries again and again; these sessions get no verdict and no report.",
        one("shuanglu_quality_judge_failures_total", growing(0, 1)),
        one("shuanglu_quality_judge_failures_total", "0 1 2 2x60"),
    ),
    Alert(
        "UnsureMany",
        "ticket",
        'sum by (namespace, check) (increase(shuanglu_quality_findings_total{outcome="UNSURE"}[6h])) / (sum by'
        " (namespace, check) (increase(shuanglu_quality_findings_total[6h])) > 20) > 0.3",
        "15m",
        "A check cannot decide: {{ $labels.check }}",
        "Three findings in ten are UNSURE, of more than twenty in six hours: people must look at what machines should.",
        Case(
            {
                'shuanglu_quality_findings_total{check="same_person",outcome="UNSURE"}': growing(0, 1),
                'shuanglu_quality_findings_total{check="same_person",outcome="PASS"}': growing(0, 1),
            },
            "150m",
            {"check": "same_person"},
        ),
        Case(
            {
                'shuanglu_quality_findings_total{check="same_person",outcome="UNSURE"}': growing(0, 1),
                'shuanglu_quality_findings_total{check="same_person",outcome="PASS"}': growing(0, 9),
            },
            "150m",
        ),
    ),
    Alert(
        "FacesNearLimit",
        "ticket",
        "max by (namespace) (shuanglu_face_check_stored_faces) > 90000",
        "30m",
        "Stored faces come near 100,000",
        "From 100,000 people's faces on, China's rules on face recognition ask for a filing with the regulator.",
        one("shuanglu_face_check_stored_faces", steady(93000), "45m"),
        one("shuanglu_face_check_stored_faces", steady(89000), "45m"),
    ),
)

GROUND = (
    Alert(
        "ServiceDown",
        "page",
        f'max by (namespace, job, instance) (up{{job=~"{JOBS}"}} == 0)'
        f" and on (namespace) count by (namespace) ({BUILD})",
        "3m",
        "{{ $labels.job }} does not answer: {{ $labels.instance }}",
        "Prometheus cannot read a process of the product.",
        Case(
            {'up{job="report",instance="10.0.0.9:9100"}': steady(0), BUILD + '{service="quality"}': steady(1)},
            labels={"job": "report", "instance": "10.0.0.9:9100"},
        ),
        Case({'up{job="report",instance="10.0.0.9:9100"}': "1 0 1x60", BUILD + '{service="quality"}': steady(1)}),
    ),
    *(
        Alert(
            "CertificateExpires",
            severity,
            f"(min by (namespace, key) (shuanglu_key_expiry_timestamp_seconds) - time() < {days * DAY_S})"
            f" or label_replace(min by (namespace) (envoy_server_days_until_first_cert_expiring) < {days}"
            ', "key", "tls", "", "")',
            "30m",
            f"A certificate or key expires within {days} days: {{{{ $labels.key }}}}",
            "After that callers, or the bus, are refused.",
            one("envoy_server_days_until_first_cert_expiring", steady(days - 2), "45m", key="tls"),
            Case(
                {
                    "envoy_server_days_until_first_cert_expiring": steady(90),
                    'shuanglu_key_expiry_timestamp_seconds{key="nats_ca"}': " ".join(["Inf"] * 60),
                    'shuanglu_key_expiry_timestamp_seconds{key="nats_credentials"}': steady(60 * DAY_S),
                },
                "45m",
            ),
        )
        for severity, days in (("ticket", 21), ("page", 3))
    ),
)

SYMPTOMS = (*RECORDING, *BUS, *WORK, *GROUND)
