"""Metrics of models, told by the children that hold them."""

from prometheus_client import Histogram

from shuanglu_common.cell.sampled import Sampled

MODEL_SECONDS = Histogram(
    "shuanglu_model_seconds",
    "Time of one call of a model.",
    ["model"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
)
MODEL_BATCH_ITEMS = Histogram(
    "shuanglu_model_batch_items",
    "Pictures, frames of sound or sounds that one call of a model looked at.",
    ["model"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
)
MODEL_TIMES, MODEL_BATCHES = Sampled(MODEL_SECONDS), Sampled(MODEL_BATCH_ITEMS)
# What a cell with models tells of; the order is that of its CellSpec.
MODEL_MEASURES = (MODEL_TIMES, MODEL_BATCHES)


def show_models(*models: str) -> None:
    """The series of a worker's models, from the start."""
    for model in models:
        MODEL_SECONDS.labels(model)
        MODEL_BATCH_ITEMS.labels(model)


def tell_model(model: str, seconds: float, items: int = 1) -> None:
    """One call of a model, told by the child that made it."""
    MODEL_TIMES.observe(model, seconds)
    MODEL_BATCHES.observe(model, items)
