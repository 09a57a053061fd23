"""Metrics of asr. The real-time factor is a rate of work seconds through the rate of sound seconds of the same step."""

from prometheus_client import Counter, Histogram

from shuanglu_common.model_metrics import show_models

SOUND_SECONDS = Counter("shuanglu_asr_sound_seconds_total", "Sound that went through a step.", ["step"])
WORK_SECONDS = Counter("shuanglu_asr_work_seconds_total", "Time that a step took.", ["step"])
REAL_TIME_FACTOR = Histogram(
    "shuanglu_asr_real_time_factor_ratio",
    "Work time through sound time, for each track listened to and each window recognised.",
    ["step"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1, 2),
)
TURNS = Counter("shuanglu_asr_turns_total", "Turns of speech that were found.")
WINDOWS = Counter("shuanglu_asr_windows_total", "Windows that were recognised or given up.", ["outcome"])
UTTERANCES = Counter("shuanglu_asr_utterances_total", "Turns that were recognised.", ["outcome"])
DOUBTS = Counter("shuanglu_asr_doubts_total", "Readings that were not believed.", ["reason"])
FAILURES = Counter("shuanglu_asr_failures_total", "Work that could not be done.", ["reason"])
MODELS = ("silero", "whisper_encoder", "whisper_decoder")

for _step in ("listen", "recognise"):
    SOUND_SECONDS.labels(_step)
    WORK_SECONDS.labels(_step)
    REAL_TIME_FACTOR.labels(_step)
for _outcome in ("recognised", "failed"):
    WINDOWS.labels(_outcome)
for _outcome in ("text", "unintelligible"):
    UTTERANCES.labels(_outcome)
show_models(*MODELS)


def tell_step(step: str, sound_s: float, work_s: float) -> None:
    """`step` is `listen` or `recognise`."""
    SOUND_SECONDS.labels(step).inc(sound_s)
    WORK_SECONDS.labels(step).inc(work_s)
    if sound_s > 0:
        REAL_TIME_FACTOR.labels(step).observe(work_s / sound_s)
