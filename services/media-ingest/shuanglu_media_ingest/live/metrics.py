"""What the live door counts."""

from prometheus_client import Counter, Gauge, Histogram

OPEN_RECORDINGS = Gauge("shuanglu_media_ingest_live_open_recordings", "Sessions that may grow.")
SEEN_SECONDS = Counter(
    "shuanglu_media_ingest_live_seen_seconds_total", "Length of what was seen in the spool.", ["medium"]
)
STORED_SECONDS = Counter(
    "shuanglu_media_ingest_live_stored_seconds_total", "Length of what the store has confirmed.", ["medium"]
)
SEGMENTS = Counter("shuanglu_media_ingest_live_segments_total", "Segments that the store has confirmed.", ["medium"])
SEGMENT_BYTES = Counter("shuanglu_media_ingest_live_segment_bytes_total", "Bytes of segments stored.")
CONFIRM_SECONDS = Histogram(
    "shuanglu_media_ingest_live_confirm_seconds",
    "From the arrival of a segment's first packet to the store's confirmation.",
    ["medium"],
    buckets=(0.5, 1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 3, 4, 6, 10, 30, 120, 600),
)
STORE_FAILURES = Counter("shuanglu_media_ingest_live_store_failures_total", "Attempts to store that failed.")
BUS_FAILURES = Counter("shuanglu_media_ingest_live_bus_failures_total", "Attempts to tell the bus that failed.")
UNTOLD = Gauge("shuanglu_media_ingest_live_untold_events", "Stored segments that the bus does not know of.")
UNCONFIRMED_BYTES = Gauge(
    "shuanglu_media_ingest_live_unconfirmed_bytes", "Bytes in the spool that the store has not confirmed."
)
OLDEST_SECONDS = Gauge(
    "shuanglu_media_ingest_live_oldest_unconfirmed_seconds", "Since when the oldest finished segment waits."
)
FREE_BYTES = Gauge("shuanglu_media_ingest_live_spool_free_bytes", "Bytes free on the spool's disk.")
STALLED = Gauge(
    "shuanglu_media_ingest_live_stalled_tracks", "Tracks of open sessions whose files have not grown for 2 s."
)
ALARM = Gauge("shuanglu_media_ingest_live_alarm", "1 if the disk is nearly full or segments wait too long.")
DRAINING = Gauge("shuanglu_media_ingest_live_draining", "1 if the node takes no new session: it is to be taken away.")
RECORDINGS = Counter("shuanglu_media_ingest_live_recordings_total", "Recordings that ended.", ["outcome"])
# complete, empty
DAMAGED_BYTES = Counter("shuanglu_media_ingest_live_damaged_bytes_total", "Bytes of the spool that are no records.")
DAMAGED_FILES = Counter(
    "shuanglu_media_ingest_live_damaged_files_total", "Files of the spool that are no recordings or became shorter."
)
UNREADABLE = Counter(
    "shuanglu_media_ingest_live_unreadable_sessions_total", "Sessions in the spool that a start could not go on with."
)
FAULTS = Counter("shuanglu_media_ingest_live_faults_total", "Times the work on a session failed and was begun again.")
LATE_FILES = Counter("shuanglu_media_ingest_live_late_files_total", "Times a file grew after its end was noted.")

for _medium in ("video", "audio"):
    for _counter in (SEEN_SECONDS, STORED_SECONDS, SEGMENTS):
        _counter.labels(_medium)
    CONFIRM_SECONDS.labels(_medium)
for _outcome in ("complete", "empty"):
    RECORDINGS.labels(_outcome)
