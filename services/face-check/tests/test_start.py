import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from face_check_media import MODELS
from nats.aio.client import Client

from shuanglu.media.v1.media_events_pb2 import SegmentStored
from shuanglu_common.bus.subscription import Subscription
from shuanglu_common.clock import SystemClock
from shuanglu_common.gate import Gate
from shuanglu_common.sealing import Sealer
from shuanglu_common.store import MemoryStore, SealedStore
from shuanglu_face_check import errors
from shuanglu_face_check.__main__ import build
from shuanglu_face_check.metrics import FAILURES
from shuanglu_face_check.settings import FaceCheckSettings


class FakeApp:
    """Notes what a service asks of its app."""

    def __init__(self, models_dir: Path) -> None:
        self.settings = FaceCheckSettings(models_dir=models_dir, models_retry_s=0.1)
        self.clock = SystemClock()
        self.nats = Client()
        self.checks: dict[str, Any] = {}
        self.consumed: list[tuple[Subscription, Gate]] = []
        self.backgrounds: dict[str, Any] = {}
        self.closers: list[Any] = []

    def store(self) -> MemoryStore:
        return MemoryStore()

    def sealed_store(self) -> SealedStore:
        return SealedStore(MemoryStore(), Sealer(b"k" * 32), self.clock)

    def ready_when(self, name: str, check: Any) -> None:
        self.checks[name] = check

    def background(self, name: str, run: Any) -> None:
        self.backgrounds[name] = run

    def on_close(self, close: Any) -> None:
        self.closers.append(close)

    def consume(self, subscription: Subscription, gate: Gate) -> None:
        self.consumed.append((subscription, gate))

    async def run(self, until: Any) -> None:
        """The service's background, until the condition holds."""
        stopping = asyncio.Event()
        task = asyncio.create_task(self.backgrounds["models"](stopping))
        async with asyncio.timeout(20):
            while not await until():  # noqa: ASYNC110 - as a probe does
                await asyncio.sleep(0.02)
        stopping.set()
        await task


@pytest.mark.models
async def test_with_its_models_the_worker_is_ready_and_takes_segments():
    app = FakeApp(MODELS)
    await build(app)  # type: ignore[arg-type]
    assert not await app.checks["models"]()
    await app.run(app.checks["models"])
    assert all(gate.is_open for _, gate in app.consumed)
    assert [list(subscription.handlers) for subscription, _ in app.consumed] == [[SegmentStored]] * 2
    assert {subscription.durable for subscription, _ in app.consumed} == {"face-check-live", "face-check-offline"}
    for close in app.closers:
        await close()


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
    unusable = FAILURES.labels("MODEL_UNUSABLE")
    before = unusable._value.get()

    async def looked_twice() -> bool:
        return bool(unusable._value.get() >= before + 2)

    await app.run(looked_twice)
    assert not await app.checks["models"]()
    assert not any(gate.is_open for _, gate in app.consumed)


def test_every_error_has_a_reason_of_its_own():
    classes = [cls for cls in vars(errors).values() if isinstance(cls, type) and cls.__module__ == errors.__name__]
    reasons = [cls.reason for cls in classes]
    assert len(classes) == 2
    assert len(set(reasons)) == len(reasons)
    assert "INTERNAL" not in reasons


def test_every_setting_is_described():
    described = {name: field.description for name, field in FaceCheckSettings.model_fields.items()}
    assert all(described.values())
