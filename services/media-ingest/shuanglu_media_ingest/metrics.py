"""What media-ingest counts."""

from prometheus_client import Counter, Histogram

UPLOADED_BYTES = Counter("shuanglu_media_ingest_uploaded_bytes_total", "Bytes taken in at the upload door.")
UPLOADS_EXPIRED = Counter("shuanglu_media_ingest_uploads_expired_total", "Uploads removed because their time was over.")
IMPORTS = Counter("shuanglu_media_ingest_imports_total", "Imports that ended.", ["outcome"])  # stored, refused
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
