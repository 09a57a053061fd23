"""Metrics of face-check."""

from prometheus_client import Counter, Gauge, Histogram

from shuanglu_common.model_metrics import show_models, tell_model

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
REAL_TIME_FACTOR = Histogram(
    "shuanglu_face_check_real_time_factor_ratio",
    "Time to examine a segment through its length.",
    buckets=(0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1, 2, 5),
)
STORED_FACES = Gauge(
    "shuanglu_face_check_stored_faces", "Face templates in the store that have not expired, of all workers."
)
MODELS = ("yunet", "sface")

for _template in ("id_photo", "reference"):
    COMPARISONS.labels(_template)
    TEMPLATES.labels(_template)
for _model in MODELS:
    INFERENCE_SECONDS.labels(_model)
show_models(*MODELS)


def tell_call(model: str, seconds: float) -> None:
    """A model has looked at one picture."""
    INFERENCE_SECONDS.labels(model).inc(seconds)
    tell_model(model, seconds)
