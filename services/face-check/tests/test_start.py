import shutil
from pathlib import Path
from typing import Any

import pytest
from face_check_media import MODELS

from shuanglu.media.v1.media_events_pb2 import SegmentStored
from shuanglu_common.bus.subscription import Subscription
from shuanglu_common.clock import SystemClock
from shuanglu_common.sealing import Sealer
from shuanglu_common.store import MemoryStore, SealedStore
from shuanglu_face_check import errors
from shuanglu_face_check.__main__ import build
from shuanglu_face_check.settings import FaceCheckSettings


class FakeApp:
    """Notes what a service asks of its app."""

    def __init__(self, models_dir: Path) -> None:
        self.settings = FaceCheckSettings(models_dir=models_dir)
        self.clock = SystemClock()
        self.checks: dict[str, Any] = {}
        self.consumed: list[Subscription] = []

    def store(self) -> MemoryStore:
        return MemoryStore()

    def sealed_store(self) -> SealedStore:
        return SealedStore(MemoryStore(), Sealer(b"k" * 32), self.clock)

    def ready_when(self, name: str, check: Any) -> None:
        self.checks[name] = check

    def consume(self, subscription: Subscription) -> None:
        self.consumed.append(subscription)


@pytest.mark.models
async def test_with_its_models_the_worker_is_ready_and_takes_segments():
    app = FakeApp(MODELS)
    await build(app)  # type: ignore[arg-type]
    assert await app.checks["models"]()
    (subscription,) = app.consumed
    assert list(subscription.handlers) == [SegmentStored]
    assert subscription.durable == "face-check"


@pytest.mark.models
@pytest.mark.parametrize("harm", ["missing", "changed", "no manifest"])
async def test_without_the_right_models_the_worker_stays_up_not_ready_and_takes_nothing(tmp_path: Path, harm: str):
    for name in ("models.json", "yunet.onnx", "sface.onnx"):
        shutil.copy(MODELS / name, tmp_path / name)
    if harm == "missing":
        (tmp_path / "sface.onnx").unlink()
    elif harm == "changed":
        with (tmp_path / "yunet.onnx").open("ab") as file:
            file.write(b"!")
    else:
        (tmp_path / "models.json").unlink()
    app = FakeApp(tmp_path)
    await build(app)  # type: ignore[arg-type]
    assert not await app.checks["models"]()
    assert app.consumed == []


def test_every_error_has_a_reason_of_its_own():
    classes = [cls for cls in vars(errors).values() if isinstance(cls, type) and cls.__module__ == errors.__name__]
    reasons = [cls.reason for cls in classes]
    assert len(classes) == 2
    assert len(set(reasons)) == len(reasons)
    assert "INTERNAL" not in reasons


def test_every_setting_is_described():
    described = {name: field.description for name, field in FaceCheckSettings.model_fields.items()}
    assert all(described.values())
