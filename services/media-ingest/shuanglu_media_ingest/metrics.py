"""What media-ingest counts."""

from prometheus_client import Counter, Gauge, Histogram

UPLOADED_BYTES = Counter("shuanglu_media_ingest_uploaded_bytes_total", "Bytes taken in at the upload door.")
UPLOADS_EXPIRED = Counter("shuanglu_media_ingest_uploads_expired_total", "Uploads removed because their time was over.")
IMPORTS = Counter(
    "shuanglu_media_ingest_imports_total", "Imports that ended.", ["outcome"]
)  # stored, refused, cancelled, gave_up
IMPORT_SECONDS = Histogram(
    "shuanglu_media_ingest_import_seconds",
    "Time from taking an import in hand to its end.",
    buckets=(1, 2, 5, 10, 30, 60, 180, 600, 1800, 7200),
)
ORIGINAL_BYTES = Counter("shuanglu_media_ingest_original_bytes_total", "Bytes of original files stored.")
SEGMENT_BYTES = Counter("shuanglu_media_ingest_segment_bytes_total", "Bytes of segments stored.")
SEGMENTS = Counter("shuanglu_media_ingest_segments_total", "Segments stored.", ["medium"])  # video, audio
RECORDED_SECONDS = Counter("shuanglu_media_ingest_recorded_seconds_total", "Length of the tracks stored.", ["medium"])
DERIVED_TRACKS = Counter("shuanglu_media_ingest_derived_tracks_total", "Tracks that were encoded anew.", ["medium"])
WAITING = Gauge("shuanglu_media_ingest_queue_imports", "Imports that wait, by size class.", ["size"])  # small, large
OLDEST_SECONDS = Gauge(
    "shuanglu_media_ingest_queue_oldest_seconds", "Since when the oldest waiting import was accepted.", ["size"]
)
ABANDONED = Counter("shuanglu_media_ingest_imports_abandoned_total", "Imports taken over from a worker that died.")
OUTAGES = Counter(
    "shuanglu_media_ingest_outages_total", "Starts of imports that ended because something was away.", ["reason"]
)
HELD_UP_SECONDS = Counter(
    "shuanglu_media_ingest_held_up_seconds_total", "Time that imports waited because the workers were behind."
)
WORKERS_WAITING = Gauge(
    "shuanglu_media_ingest_workers_waiting_events", "Events that wait for a worker, as last asked.", ["consumer"]
)
READER_FAILURES = Counter(
    "shuanglu_media_ingest_reader_failures_total", "Files refused because they ended their reader.", ["reason"]
)
RECONCILE_DIFFERENCES = Gauge(
    "shuanglu_reconcile_differences", "What differed between calls and the store at the last nightly look.", ["kind"]
)
RECONCILE_SESSIONS = Gauge("shuanglu_reconcile_sessions", "Sessions that the last nightly look compared.")
RECONCILE_FINISHED = Gauge("shuanglu_reconcile_finished_timestamp_seconds", "When the last nightly look ended.")
SPOOL_BYTES = Gauge("shuanglu_media_ingest_spool_bytes", "Bytes of uploads in the spool.")
SPOOL_FREE_BYTES = Gauge("shuanglu_media_ingest_spool_free_bytes", "Bytes free on the spool's disk.")
UPLOADS_REFUSED = Counter(
    "shuanglu_media_ingest_uploads_refused_total", "Uploads refused for want of room.", ["reason"]
)  # disk, quota, count

for _outcome in ("stored", "refused", "cancelled", "gave_up"):
    IMPORTS.labels(_outcome)
for _medium in ("video", "audio"):
    for _counter in (SEGMENTS, RECORDED_SECONDS, DERIVED_TRACKS):
        _counter.labels(_medium)
for _size in ("small", "large"):
    WAITING.labels(_size)
    OLDEST_SECONDS.labels(_size)
for _reason in ("disk", "quota", "count"):
    UPLOADS_REFUSED.labels(_reason)
