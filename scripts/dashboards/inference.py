"""Inference and lag: are the models keeping up, and what do they cost?"""

from scripts.dashboards.panels import Dashboard, Mood, Query, Row, lines, quantile, rate, told

WORKERS = "face-check.*|asr.*"
NO_WORKER = "no worker is scraped"
NOTHING = "nothing inspected"
RATE = "[$__rate_interval]"

LAG = Row(
    "Lag",
    (
        lines(
            "Events that wait",
            "By consumer; live ones must stay near 0, offline ones may grow in the night. No data: no service is"
            " scraped.",
            "short",
            Query(told("shuanglu_bus_pending_events", "consumer", '@, consumer=~"face-check.*|asr.*"'), "{{consumer}}"),
            none=NO_WORKER,
            width=8,
            runbook="LiveLagOverTarget",
        ),
        lines(
            "Events in hand, not acknowledged",
            "By consumer. With what waits, this is what workers are scaled by. No data: no worker is scraped.",
            "short",
            Query(
                told("shuanglu_bus_unacknowledged_events", "consumer", '@, consumer=~"face-check.*|asr.*"'),
                "{{consumer}}",
            ),
            none=NO_WORKER,
            width=8,
        ),
        lines(
            "Age of an event when taken, p95",
            "From its making to the first time that a worker has it. No data: no worker took one in this time.",
            "s",
            Query(
                quantile(0.95, "shuanglu_bus_age_seconds", "consumer", '@, consumer=~"face-check.*|asr.*"'),
                "{{consumer}}",
            ),
            none=NOTHING,
            width=8,
            steps=((5, Mood.DOUBT),),
            runbook="LiveLagOverTarget",
        ),
        lines(
            "Stored to observed, calls",
            "Half, 19 of 20 and 99 of 100. The objective is 5 s for 19 of 20. No data: no call was recorded in this"
            " time.",
            "s",
            *(
                Query(
                    quantile(share, "shuanglu_observation_delay_seconds", where='@, lane="live"'),
                    name,
                    empty="no call was recorded in this time",
                )
                for share, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
            ),
            none="no call",
            width=8,
            steps=((5, Mood.BAD),),
            runbook="LiveObservationBudgetBurns",
        ),
        lines(
            "Stored to observed, imports",
            "Half, and 19 of 20. No data: nothing was imported in this time.",
            "s",
            *(
                Query(quantile(share, "shuanglu_observation_delay_seconds", where='@, lane="offline"'), name)
                for share, name in ((0.5, "p50"), (0.95, "p95"))
            ),
            none="no import",
            width=8,
            runbook="BacklogStands",
        ),
        lines(
            "Processes by worker",
            "How many Prometheus reads; offline pools may be at 0. No data: no worker is scraped.",
            "short",
            Query(f'sum by (job) (up{{@, job=~"{WORKERS}"}})', "{{job}}"),
            none=NO_WORKER,
            width=8,
            runbook="LiveWorkersAbsent",
        ),
    ),
)

SPEED = Row(
    "Speed",
    (
        lines(
            "Real-time factor, p95",
            "Time of work through time of media: below 1 one process keeps up with one track. No data: nothing was"
            " inspected in this time.",
            "short",
            Query(quantile(0.95, "shuanglu_face_check_real_time_factor_ratio"), "faces"),
            Query(quantile(0.95, "shuanglu_asr_real_time_factor_ratio", "step"), "{{step}}"),
            none=NOTHING,
            width=8,
            steps=((1, Mood.BAD),),
            runbook="LiveLagOverTarget",
        ),
        lines(
            "Time of a model's call, p95",
            "By model. No data: nothing was inspected in this time.",
            "s",
            Query(quantile(0.95, "shuanglu_model_seconds", "model"), "{{model}}"),
            none=NOTHING,
            width=8,
        ),
        lines(
            "Items a call of a model",
            "Pictures, frames of sound or sounds, on average. No data: nothing was inspected in this time.",
            "short",
            Query(
                f"sum by (model) (rate(shuanglu_model_batch_items_sum{{@}}{RATE}))"
                f" / (sum by (model) (rate(shuanglu_model_batch_items_count{{@}}{RATE})) > 0)",
                "{{model}}",
            ),
            none=NOTHING,
            width=8,
        ),
        lines(
            "Calls of models",
            "A second. No data: no worker is scraped.",
            "cps",
            Query(rate("shuanglu_model_seconds_count", "model"), "{{model}}"),
            none=NO_WORKER,
            width=8,
        ),
        lines(
            "Time in a handler, p95",
            "By consumer, from taking an event to being done with it. No data: nothing was inspected in this time.",
            "s",
            Query(
                quantile(0.95, "shuanglu_bus_handle_seconds", "consumer", '@, consumer=~"face-check.*|asr.*"'),
                "{{consumer}}",
            ),
            none=NOTHING,
            width=8,
        ),
        lines(
            "Media inspected",
            "Seconds of sound by step and segments of pictures, a second. No data: no worker is scraped.",
            "short",
            Query(rate("shuanglu_asr_sound_seconds_total", "step"), "sound: {{step}}"),
            Query(rate("shuanglu_face_check_segments_total"), "segments of pictures"),
            none=NO_WORKER,
            width=8,
        ),
    ),
)

COST = Row(
    "Cost and failures",
    (
        lines(
            "Cores in use",
            "By job, of the main processes; what their cells use stands with the container. No data: nothing is"
            " scraped.",
            "short",
            Query(rate("process_cpu_seconds_total", "job"), "{{job}}"),
            none="nothing is scraped",
            width=8,
        ),
        lines(
            "Memory",
            "Resident, of the largest process of each job. No data: nothing is scraped.",
            "bytes",
            Query("max by (job) (process_resident_memory_bytes{@})", "{{job}}"),
            none="nothing is scraped",
            width=8,
        ),
        lines(
            "Child processes that ended",
            "In the last hour, by cause. Crashed, killed, timeout, memory: something in a recording or a model ended"
            " its reader. No data: none has ended yet.",
            "short",
            Query(
                "sum by (cell, cause) (increase(shuanglu_cell_ended_total{@}[1h]))",
                "{{cell}} {{cause}}",
                empty="no child process has ended",
            ),
            none="none ended",
            width=8,
        ),
        lines(
            "Work that could not be done",
            "A minute, by reason; each becomes UNSURE, never PASS. No data: all could be done.",
            "cpm",
            Query(
                "60 * " + rate("shuanglu_face_check_failures_total", "reason"), "faces: {{reason}}", empty="all done"
            ),
            Query("60 * " + rate("shuanglu_asr_failures_total", "reason"), "speech: {{reason}}", empty="all done"),
            none="✓ none",
            width=8,
            runbook="UnsureMany",
        ),
        lines(
            "Readings of speech",
            "A minute: recognised, unintelligible, and not believed, by reason. No data: asr is not scraped.",
            "cpm",
            Query("60 * " + rate("shuanglu_asr_utterances_total", "outcome"), "{{outcome}}"),
            Query(
                "60 * " + rate("shuanglu_asr_doubts_total", "reason"), "doubt: {{reason}}", empty="all were believed"
            ),
            none="asr is not scraped",
            width=8,
        ),
        lines(
            "Events held for a system that is away",
            "In hand, waiting for store or database. No data: no service is scraped.",
            "short",
            Query("sum by (consumer) (shuanglu_bus_held_events{@})", "{{consumer}}"),
            none="nothing is scraped",
            width=8,
            runbook="StoreFailing",
        ),
    ),
)

PAGE = Dashboard(
    "shuanglu-inference",
    "shuanglu · Inference and lag",
    "Are the models keeping up with the calls, and what do they cost?",
    (LAG, SPEED, COST),
)
