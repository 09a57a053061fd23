"""Calls and media: from the offer of a browser to the segment in the store, and what is uploaded."""

from scripts.dashboards.overview import ZERO_IS_GOOD
from scripts.dashboards.panels import Dashboard, Mood, Query, Row, increase, lines, number, quantile, rate, told

LIVE = "shuanglu_media_ingest_live_"
INGEST = "shuanglu_media_ingest_"
NO_SIGNALING, NO_NODE, NO_INGEST = "signaling is not scraped", "no media node", "media-ingest is not scraped"
NOBODY_CONNECTS = "nobody connected in this time"

CALLS = Row(
    "Calls",
    (
        lines(
            "Calls by state",
            "WAITING for people, ACTIVE, HELD, ENDING. No data: signaling is not scraped.",
            "short",
            Query(told("shuanglu_signaling_calls", "state"), "{{state}}"),
            none=NO_SIGNALING,
            stacked=True,
            width=8,
        ),
        lines(
            "People coming, lost and gone",
            "A minute. Many lost connections at once point at a media node or a network, not at people. No data:"
            " signaling is not scraped.",
            "cpm",
            Query("60 * " + rate("shuanglu_signaling_joins_total"), "come in"),
            Query("60 * " + rate("shuanglu_signaling_drops_total"), "connection lost"),
            Query("60 * " + rate("shuanglu_signaling_leaves_total"), "gone"),
            none=NO_SIGNALING,
            width=8,
            runbook="NoMediaNode",
        ),
        lines(
            "Calls that ended, by reason",
            "COMPLETED is as it should be; RECORDING_LOST never should be. No data: signaling is not scraped.",
            "cpm",
            Query("60 * " + rate("shuanglu_signaling_calls_ended_total", "reason"), "{{reason}}"),
            none=NO_SIGNALING,
            width=8,
            runbook="RecordingStalled",
        ),
        lines(
            "From offer to answer, p95",
            "Time to negotiate a connection. No data: nobody connected in this time.",
            "s",
            Query(quantile(0.95, "shuanglu_signaling_negotiation_seconds", "way"), "{{way}}", empty=NOBODY_CONNECTS),
            none=NOBODY_CONNECTS,
            width=8,
            steps=((1, Mood.DOUBT),),
        ),
        lines(
            "Offers refused, by reason",
            "A minute. No data: none was refused since signaling started.",
            "cpm",
            Query(
                "60 * " + rate("shuanglu_signaling_offers_refused_total", "reason"),
                "{{reason}}",
                empty="no offer was refused",
            ),
            none="none refused",
            width=8,
        ),
        lines(
            "Media nodes",
            "Known to signaling, restarted in the last hour, and draining. No data: signaling is not scraped.",
            "short",
            Query(told("shuanglu_signaling_media_nodes"), "known"),
            Query("sum(increase(shuanglu_signaling_media_nodes_lost_total{@}[1h]))", "restarted in the hour"),
            Query(f"sum({LIVE}draining{{@}})", "draining"),
            none=NO_SIGNALING,
            width=8,
            runbook="NoMediaNode",
        ),
    ),
)

SPOOL = Row(
    "From the wire to the store",
    (
        number(
            "Recordings open",
            "On all media nodes. No data: no media node is scraped.",
            "short",
            Query(f"sum({LIVE}open_recordings{{@}})"),
            none=NO_NODE,
        ),
        number(
            "Tracks that stand still",
            "Of open recordings, for two seconds: muted, away, or stuck; signaling knows which. No data: no media"
            " node is scraped.",
            "short",
            Query(f"sum({LIVE}stalled_tracks{{@}})"),
            none=NO_NODE,
            runbook="RecordingStalled",
        ),
        number(
            "Waits for the store",
            "Bytes in the spools that the store has not confirmed. No data: no media node is scraped.",
            "bytes",
            Query(f"sum({LIVE}unconfirmed_bytes{{@}})"),
            none=NO_NODE,
            runbook="SpoolGrowing",
        ),
        number(
            "Least room in a spool",
            "Free on the fullest disk of a media node. No data: no media node is scraped.",
            "bytes",
            Query(f"min({LIVE}spool_free_bytes{{@}})"),
            none=NO_NODE,
            start=Mood.BAD,
            steps=((2e9, Mood.DOUBT), (10e9, Mood.GOOD)),
            runbook="DiskFilling",
        ),
        number(
            "Nodes that raise the alarm",
            "Their disk is nearly full, or segments wait too long; new calls go elsewhere. No data: no media node is"
            " scraped.",
            "short",
            Query(f"sum({LIVE}alarm{{@}})"),
            none=NO_NODE,
            start=Mood.GOOD,
            steps=((1, Mood.BAD),),
            words=ZERO_IS_GOOD,
            runbook="SpoolGrowing",
        ),
        number(
            "Stored, unknown to the bus",
            "Segments that are safe, but no worker knows of. No data: no media node is scraped.",
            "short",
            Query(f"sum({LIVE}untold_events{{@}})"),
            none=NO_NODE,
            start=Mood.GOOD,
            steps=((50, Mood.DOUBT), (500, Mood.BAD)),
            runbook="BusRefuses",
        ),
        lines(
            "First packet to proof in the store",
            "How far behind the present the proof of a recording is; a segment alone lasts about a second. No data:"
            " nothing was recorded in this time.",
            "s",
            Query(quantile(0.5, LIVE + "confirm_seconds"), "p50"),
            Query(quantile(0.95, LIVE + "confirm_seconds"), "p95"),
            Query(quantile(0.99, LIVE + "confirm_seconds"), "p99"),
            none="nothing recorded",
            width=8,
            steps=((10, Mood.DOUBT),),
            runbook="SpoolGrowing",
        ),
        lines(
            "Oldest second not stored, by node",
            "No data: no media node is scraped.",
            "s",
            Query(f"max by (instance) ({LIVE}oldest_unconfirmed_seconds{{@}})", "{{instance}}"),
            none=NO_NODE,
            width=8,
            steps=((30, Mood.BAD),),
            runbook="SpoolGrowing",
        ),
        lines(
            "Failed attempts",
            "To store a segment, and to tell the bus; each is tried again. No data: no media node is scraped.",
            "cpm",
            Query("60 * " + rate(LIVE + "store_failures_total"), "store"),
            Query("60 * " + rate(LIVE + "bus_failures_total"), "bus"),
            none=NO_NODE,
            width=8,
            runbook="StoreFailing",
        ),
        lines(
            "Recorded by medium",
            "Seconds of tracks a second that the store confirmed. No data: no media node is scraped.",
            "short",
            Query(rate(LIVE + "stored_seconds_total", "medium"), "{{medium}}"),
            none=NO_NODE,
            width=8,
            stacked=True,
        ),
        lines(
            "Damage in the spool",
            "In the last hour: bytes that are no records, files that became shorter, sessions that a start could not"
            " go on with. No data: no media node is scraped.",
            "short",
            Query(f"sum(increase({LIVE}damaged_bytes_total{{@}}[1h]))", "bytes"),
            Query(f"sum(increase({LIVE}damaged_files_total{{@}}[1h]))", "files"),
            Query(f"sum(increase({LIVE}unreadable_sessions_total{{@}}[1h]))", "sessions"),
            none=NO_NODE,
            width=8,
            runbook="RecordingDamaged",
        ),
        lines(
            "Recordings that ended",
            "Complete, or empty: nobody was heard or seen. No data: no media node is scraped.",
            "cpm",
            Query("60 * " + rate(LIVE + "recordings_total", "outcome"), "{{outcome}}"),
            none=NO_NODE,
            width=8,
        ),
    ),
)

UPLOADS = Row(
    "Uploads and imports",
    (
        lines(
            "Imports that wait",
            "By size. No data: media-ingest is not scraped.",
            "short",
            Query(told(INGEST + "queue_imports", "size"), "{{size}}"),
            none=NO_INGEST,
            width=8,
            stacked=True,
            runbook="ImportsWaiting",
        ),
        lines(
            "Imports that ended",
            "A minute, by outcome. No data: media-ingest is not scraped.",
            "cpm",
            Query("60 * " + rate(INGEST + "imports_total", "outcome"), "{{outcome}}"),
            none=NO_INGEST,
            width=8,
        ),
        lines(
            "Bytes in, bytes stored",
            "At the upload door; originals and segments in the store. No data: media-ingest is not scraped.",
            "Bps",
            Query(rate(INGEST + "uploaded_bytes_total"), "uploaded"),
            Query(rate(INGEST + "original_bytes_total"), "originals stored"),
            Query(rate(INGEST + "segment_bytes_total"), "segments stored"),
            none=NO_INGEST,
            width=8,
        ),
        lines(
            "Time of an import",
            "From taking it in hand to its end. No data: none ended in this time.",
            "s",
            Query(quantile(0.5, INGEST + "import_seconds", window="$__range"), "p50"),
            Query(quantile(0.95, INGEST + "import_seconds", window="$__range"), "p95"),
            none="none ended",
            width=8,
        ),
        lines(
            "Spool of uploads",
            "Bytes held, and free on its disk. No data: media-ingest is not scraped.",
            "bytes",
            Query(f"sum({INGEST}spool_bytes{{@}})", "held"),
            Query(f"min({INGEST}spool_free_bytes{{@}})", "free"),
            none=NO_INGEST,
            width=8,
            runbook="DiskFilling",
        ),
        lines(
            "Uploads and files refused",
            "In the time that is looked at, by reason; files that ended their reader. No data: media-ingest is not"
            " scraped.",
            "short",
            Query(increase(INGEST + "uploads_refused_total", "reason"), "upload: {{reason}}"),
            Query(
                increase(INGEST + "reader_failures_total", "reason"),
                "file: {{reason}}",
                empty="no file has ended its reader",
            ),
            none=NO_INGEST,
            width=8,
        ),
    ),
)

NIGHT = Row(
    "Calls against the store, every night",
    (
        lines(
            "Differences by kind",
            "Of the last nightly look. No data: no look has ended since the service started.",
            "short",
            Query(
                "sum by (kind) (shuanglu_reconcile_differences{@})",
                "{{kind}}",
                empty="the nightly look has not been yet",
            ),
            none="not looked yet",
            runbook="ReconcileDifferences",
        ),
        number(
            "Since the last look",
            "No data: no look has ended since the service started.",
            "s",
            Query(
                "time() - (max(shuanglu_reconcile_finished_timestamp_seconds{@}) > 0)",
                empty="the nightly look has not been yet",
            ),
            none="not looked yet",
            start=Mood.GOOD,
            steps=((93600, Mood.DOUBT), (172800, Mood.BAD)),
            runbook="ReconcileOverdue",
            width=6,
        ),
        number(
            "TURN credentials hold for",
            "From when they are given out; a call cannot last longer behind a relay. No data: signaling is not"
            " scraped.",
            "s",
            Query("min(shuanglu_signaling_turn_ttl_seconds{@})"),
            none=NO_SIGNALING,
            width=6,
        ),
    ),
)

PAGE = Dashboard(
    "shuanglu-calls",
    "shuanglu · Calls and media",
    "People, media nodes, spools, uploads: where a recording is on its way to the store.",
    (CALLS, SPOOL, UPLOADS, NIGHT),
)
