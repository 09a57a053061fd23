"""Bus and store: what everything rests on."""

from scripts.dashboards.overview import UP, ZERO_IS_GOOD
from scripts.dashboards.panels import Dashboard, Mood, Query, Row, bars, lines, number, quantile, rate, told

NOTHING = "nothing is scraped"
DAY_S = 86_400

BUS = Row(
    "Bus",
    (
        number(
            "Dead letters",
            "Events that a consumer gave up on. No data: quality is not scraped.",
            "short",
            Query(told("shuanglu_bus_stream_messages", where='@, stream="DEADLETTER"')),
            none="quality is not scraped",
            start=Mood.GOOD,
            steps=((1, Mood.BAD),),
            words=ZERO_IS_GOOD,
            runbook="DeadLetters",
        ),
        number(
            "Consumers missing",
            "Durable consumers of the table that the bus does not have. No data: quality is not scraped.",
            "short",
            Query(told("shuanglu_bus_consumers_missing")),
            none="quality is not scraped",
            start=Mood.GOOD,
            steps=((1, Mood.BAD),),
            words=ZERO_IS_GOOD,
            runbook="ConsumersMissing",
        ),
        number(
            "In the outboxes",
            "Events in the databases that the bus has not confirmed. No data: no service is scraped.",
            "short",
            Query("sum(max by (namespace, job) (shuanglu_outbox_pending_events{@}))"),
            none=NOTHING,
            start=Mood.GOOD,
            steps=((100, Mood.DOUBT), (1000, Mood.BAD)),
            runbook="OutboxStuck",
        ),
        number(
            "Waiting in all",
            "Events that some consumer has yet to take. No data: no service is scraped.",
            "short",
            Query(told("shuanglu_bus_pending_events")),
            none=NOTHING,
        ),
        number(
            "Came again",
            "Share of deliveries that were not the first. No data: nothing was handled in this time.",
            "percentunit",
            Query(
                "sum(increase(shuanglu_bus_redelivered_total{@}[$__range]))"
                " / (sum(increase(shuanglu_bus_handled_total{@}[$__range])) > 0)"
            ),
            none="nothing handled",
            decimals=1,
            start=Mood.GOOD,
            steps=((0.01, Mood.DOUBT), (0.05, Mood.BAD)),
            runbook="RedeliveriesMany",
        ),
        number(
            "Bytes in the streams",
            "Of all streams. No data: quality is not scraped.",
            "bytes",
            Query(told("shuanglu_bus_stream_bytes")),
            none="quality is not scraped",
        ),
        lines(
            "Published and handled",
            "Events a second. One event may be handled by several consumers. No data: no service is scraped.",
            "cps",
            Query(rate("shuanglu_bus_published_total"), "published"),
            Query(rate("shuanglu_bus_handled_total", "outcome"), "{{outcome}}"),
            none=NOTHING,
            width=8,
        ),
        lines(
            "Waiting by consumer",
            "All consumers. No data: no service is scraped.",
            "short",
            Query(told("shuanglu_bus_pending_events", "consumer"), "{{consumer}}"),
            none=NOTHING,
            width=8,
            runbook="BacklogStands",
        ),
        lines(
            "Came again, by consumer",
            "A minute. No data: no service is scraped.",
            "cpm",
            Query("60 * " + rate("shuanglu_bus_redelivered_total", "consumer"), "{{consumer}}"),
            none=NOTHING,
            width=8,
            runbook="RedeliveriesMany",
        ),
        lines(
            "Messages by stream",
            "No data: quality is not scraped.",
            "short",
            Query(told("shuanglu_bus_stream_messages", "stream"), "{{stream}}"),
            none="quality is not scraped",
            width=8,
        ),
        lines(
            "Given up, by consumer",
            "Dead letters in the last hour. No data: quality is not scraped.",
            "short",
            Query("sum by (consumer) (increase(shuanglu_bus_dead_letters_total{@}[1h]))", "{{consumer}}"),
            none="quality is not scraped",
            width=8,
            runbook="DeadLetters",
        ),
        lines(
            "Outboxes by service",
            "Events that the bus has not confirmed. No data: no service is scraped.",
            "short",
            Query("max by (job) (shuanglu_outbox_pending_events{@})", "{{job}}"),
            none=NOTHING,
            width=8,
            runbook="OutboxStuck",
        ),
    ),
)

STORE = Row(
    "Store",
    (
        lines(
            "Time of an operation, p95",
            "By operation. No data: the store was not used in this time.",
            "s",
            Query(quantile(0.95, "shuanglu_store_seconds", "operation"), "{{operation}}"),
            none="not used",
            width=8,
            runbook="StoreFailing",
        ),
        lines(
            "Operations",
            "A second. No data: the store was not used since the services started.",
            "cps",
            Query(rate("shuanglu_store_seconds_count", "operation"), "{{operation}}"),
            none="not used",
            width=8,
        ),
        lines(
            "Bytes to and from the store",
            "A second. No data: the store was not used since the services started.",
            "Bps",
            Query(rate("shuanglu_store_bytes_total", "operation"), "{{operation}}"),
            none="not used",
            width=8,
        ),
    ),
)

GROUND = Row(
    "Clocks, keys, processes",
    (
        lines(
            "Clocks against each other",
            "PostgreSQL's against each service's, and the recorders' against signaling's. Far apart, times on reports"
            " are wrong. No data: no service is scraped.",
            "s",
            Query("max by (service) (abs(shuanglu_clock_offset_seconds{@}))", "{{service}}"),
            none=NOTHING,
            width=8,
            steps=((0.5, Mood.BAD),),
            runbook="ClockSkew",
        ),
        bars(
            "Days until a key or certificate expires",
            "Of files that expire at all; the gateway's certificate is `tls`. No data: nothing expires.",
            "d",
            Query(
                f"(min by (key) (shuanglu_key_expiry_timestamp_seconds{{@}}) < Inf) / {DAY_S} - time() / {DAY_S}",
                "{{key}}",
                empty="no file of this installation expires",
            ),
            Query(
                "min(envoy_server_days_until_first_cert_expiring{@} < 100000)",
                "tls",
                empty="the gateway has no certificate that expires",
            ),
            none="nothing expires",
            width=8,
            start=Mood.BAD,
            steps=((7, Mood.DOUBT), (21, Mood.GOOD)),
            decimals=0,
            runbook="CertificateExpires",
        ),
        lines(
            "Calls of the API that failed by our fault",
            "A minute, by code. No data: none failed since the services started.",
            "cpm",
            Query(
                "60 * "
                + rate("shuanglu_rpc_seconds_count", "code", '@, code=~"UNAVAILABLE|INTERNAL|UNKNOWN|DATA_LOSS"'),
                "{{code}}",
                empty="no call has failed by our fault",
            ),
            none="✓ none",
            width=8,
            runbook="ApiBudgetBurns",
        ),
        lines(
            "Processes that answer",
            "By job. No data: nothing is scraped.",
            "short",
            Query(f"sum by (job) ({UP})", "{{job}}"),
            none=NOTHING,
            width=8,
            runbook="ServiceDown",
        ),
        bars(
            "Versions that run",
            "Processes by service and version; two versions only during an upgrade. No data: nothing is scraped.",
            "short",
            Query("count by (service, version) (shuanglu_build_info{@})", "{{service}} {{version}}"),
            none=NOTHING,
            width=8,
            decimals=0,
        ),
        lines(
            "Spans of traces that were dropped",
            "A minute: the queue was full, or the collector did not take them. No data: nothing is scraped.",
            "cpm",
            Query("60 * " + rate("shuanglu_trace_spans_dropped_total", "cause"), "{{cause}}"),
            none=NOTHING,
            width=8,
        ),
    ),
)

PAGE = Dashboard(
    "shuanglu-bus",
    "shuanglu · Bus and store",
    "Streams, consumers, outboxes, the object store, clocks and keys: what everything rests on.",
    (BUS, STORE, GROUND),
)
