"""Metrics of face-check."""

from prometheus_client import Counter, Histogram

SEGMENTS = Counter("shuanglu_face_check_segments_total", "Segments that were examined.")
FRAMES = Counter("shuanglu_face_check_frames_total", "Frames that were examined.")
FACES = Counter("shuanglu_face_check_faces_total", "Faces that were found.")
COMPARISONS = Counter("shuanglu_face_check_comparisons_total", "Similarities that were measured.", ["template"])
TEMPLATES = Counter("shuanglu_face_check_templates_total", "Templates that were made and sealed.", ["template"])
FAILURES = Counter("shuanglu_face_check_failures_total", "Work that could not be done.", ["reason"])
INFERENCE_SECONDS = Counter("shuanglu_face_check_inference_seconds_total", "Time in the models.", ["model"])
EXAMINE_SECONDS = Histogram(
    "shuanglu_face_check_examine_seconds",
    "Time to decode and examine a segment.",
    buckets=(0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 10, 30),
)
