import shutil
from pathlib import Path
from typing import Any

import pytest
from asr_media import MODELS

from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.observation.v1.observations_pb2 import WindowFound
from shuanglu_asr import errors
from shuanglu_asr.__main__ import build
from shuanglu_asr.settings import AsrSettings
from shuanglu_common.bus.subscription import Subscription
from shuanglu_common.clock import SystemClock
from shuanglu_common.errors import ShuangluError
from shuanglu_common.sealing import Sealer
from shuanglu_common.store import MemoryStore, SealedStore

pytestmark = pytest.mark.models


class FakeApp:
    """Notes what a service asks of its app."""

    def __init__(self, models_dir: Path) -> None:
        self.settings = AsrSettings(models_dir=models_dir)
        self.checks: dict[str, Any] = {}
        self.consumed: list[Subscription] = []

    def store(self) -> MemoryStore:
        return MemoryStore()

    def sealed_store(self) -> SealedStore:
        return SealedStore(MemoryStore(), Sealer(b"k" * 32), SystemClock())

    def ready_when(self, name: str, check: Any) -> None:
        self.checks[name] = check

    def consume(self, subscription: Subscription) -> None:
        self.consumed.append(subscription)


async def test_with_its_models_the_worker_is_ready_and_takes_tracks_and_windows():
    app = FakeApp(MODELS)
    await build(app)  # type: ignore[arg-type]
    assert await app.checks["models"]()
    assert [list(one.handlers) for one in app.consumed] == [[TrackStored], [WindowFound]]
    assert len({one.durable for one in app.consumed}) == 2


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
    assert not await app.checks["models"]()
    assert app.consumed == []


def test_every_error_has_a_reason_of_its_own():
    own = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, ShuangluError) and value.__module__ == errors.__name__
    ]
    assert len({error.reason for error in own}) == len(own) == 2
    assert not any(error.retryable for error in own)
