import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from asr_media import MODELS, Cmaf, sample

from shuanglu_asr.settings import AsrSettings
from shuanglu_asr.worker import Worker, open_worker


@pytest.fixture(scope="session")
def worker() -> Worker:
    """A worker with the real models."""
    return open_worker(AsrSettings(models_dir=MODELS))


@pytest.fixture(scope="session")
def customer_track() -> Cmaf:
    """The customer's sound of the committed sample."""
    return sample("customer")


@pytest.fixture(scope="session")
def agent_track() -> Cmaf:
    """The agent's sound of the committed sample."""
    return sample("agent")
