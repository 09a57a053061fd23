import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from asr_media import MODELS

from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.observation.v1.observations_pb2 import WindowFound
from shuanglu_asr import errors
from shuanglu_asr.__main__ import build
from shuanglu_asr.metrics import FAILURES
from shuanglu_asr.settings import AsrSettings
from shuanglu_common.bus.subscription import Subscription
from shuanglu_common.clock import SystemClock
from shuanglu_common.errors import ShuangluError
from shuanglu_common.gate import Gate
from shuanglu_common.sealing import Sealer
from shuanglu_common.store import MemoryStore, SealedStore

pytestmark = pytest.mark.models


class SilentBus:
    """Nobody listens before the first event."""

    async def publish(self, event: Any) -> None:
        raise AssertionError(event)


class FakeApp:
    """Notes what a service asks of its app."""

    bus = SilentBus()

    def __init__(self, models_dir: Path) -> None:
        self.settings = AsrSettings(models_dir=models_dir, models_retry_s=0.1)
        self.clock = SystemClock()
        self.checks: dict[str, Any] = {}
        self.consumed: list[tuple[Subscription, Gate]] = []
        self.backgrounds: dict[str, Any] = {}
        self.closers: list[Any] = []

    def store(self) -> MemoryStore:
        return MemoryStore()

    def sealed_store(self) -> SealedStore:
        return SealedStore(MemoryStore(), Sealer(b"k" * 32), SystemClock())

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


async def test_with_its_models_the_worker_is_ready_and_takes_tracks_and_windows():
    app = FakeApp(MODELS)
    await build(app)  # type: ignore[arg-type]
    assert not await app.checks["models"]()
    await app.run(app.checks["models"])
    assert [list(one.handlers) for one, _ in app.consumed] == [[TrackStored], [WindowFound]] * 2
    assert len({one.durable for one, _ in app.consumed}) == 4
    assert all(gate.is_open for _, gate in app.consumed)
    for close in app.closers:
        await close()


@pytest.mark.parametrize("harm", ["missing", "changed", "no manifest", "not a model"])
async def test_without_the_right_models_the_worker_stays_up_not_ready_and_takes_nothing(tmp_path: Path, harm: str):
    shutil.copy(MODELS / "models.json", tmp_path)
    shutil.copy(MODELS / "silero_vad.onnx", tmp_path)
    (tmp_path / "whisper-base").mkdir()
    for file in (MODELS / "whisper-base").iterdir():
        (tmp_path / "whisper-base" / file.name).symlink_to(file)
    if harm == "missing":
        (tmp_path / "whisper-base" / "model.bin").unlink()
    elif harm == "changed":
        (tmp_path / "silero_vad.onnx").write_bytes(b"other weights")
    elif harm == "no manifest":
        (tmp_path / "models.json").unlink()
    else:
        (tmp_path / "whisper-base" / "tokenizer.json").unlink()
        (tmp_path / "whisper-base" / "tokenizer.json").write_text("{}")
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
    own = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, ShuangluError) and value.__module__ == errors.__name__
    ]
    assert len({error.reason for error in own}) == len(own) == 2
    assert not any(error.retryable for error in own)
