import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from face_check_media import MODELS, SAMPLE, Cmaf, cut

from shuanglu_face_check.settings import FaceCheckSettings
from shuanglu_face_check.worker import Worker, open_worker


@pytest.fixture(scope="session")
def worker() -> Worker:
    """A worker with the real models."""
    return open_worker(FaceCheckSettings(models_dir=MODELS))


@pytest.fixture(scope="session")
def customer_track() -> Cmaf:
    """The customer's picture of the committed sample."""
    return cut(SAMPLE / "customer.mp4")


@pytest.fixture(scope="session")
def agent_track() -> Cmaf:
    """The agent's picture of the committed sample."""
    return cut(SAMPLE / "agent.mp4")
