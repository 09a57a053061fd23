"""The child that decodes and looks (`shuanglu_common.cell`)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from shuanglu_common.model_metrics import MODEL_MEASURES
from shuanglu_face_check.domain.examiner import Templates
from shuanglu_face_check.metrics import INFERENCE_SECONDS
from shuanglu_face_check.worker import Worker, open_worker

COUNTERS = (INFERENCE_SECONDS, *MODEL_MEASURES)


def open_cell(arguments: Mapping[str, Any]) -> tuple[Mapping[str, Callable[..., Any]], Any]:
    """See shuanglu_common.cell.child; takes EyeSettings, gives the models. Raises ModelUnusable."""
    settings = SimpleNamespace(**{**arguments, "models_dir": Path(arguments["models_dir"])})
    worker = open_worker(settings)
    models = [{"name": model.name, "version": model.version} for model in worker.models]
    return functions(worker), models


def functions(worker: Worker) -> Mapping[str, Callable[..., Any]]:
    """What can be called; see the methods of Worker."""

    def examine(data: bytes, points_ms: Sequence[int], id_photo: Any, reference: Any) -> list[dict[str, Any]]:
        templates = Templates(id_photo and tuple(id_photo), reference and tuple(reference))
        return [asdict(frame) for frame in worker.examine(data, points_ms, templates)]

    return {"examine": examine, "from_photo": worker.from_photo, "from_segment": worker.from_segment}
