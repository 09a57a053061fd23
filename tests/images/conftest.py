"""Images are built by `scripts/images.py`, then started by `buildah run`; nothing here runs in `make test`.

SHUANGLU_TEST_IMAGES names the images, `all` for all of them; without it, three of different kinds.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.images.containers import ALL_IMAGES, ROOT, USER, Container

from shuanglu_stack import EmbeddedStack, StackOptions

DEFAULT_IMAGES = ("signaling", "gateway", "janus")
BUILD_LIMIT_S = 1800
NAMES = os.environ.get("SHUANGLU_TEST_IMAGES", "").split()
IMAGES = ALL_IMAGES if NAMES == ["all"] else tuple(NAMES or DEFAULT_IMAGES)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """They take minutes and root: left out unless `-m images` asks for them."""
    ours = [item for item in items if Path(item.path).is_relative_to(Path(__file__).parent)]
    for item in ours:
        item.add_marker(pytest.mark.images)
        item.add_marker(pytest.mark.timeout(BUILD_LIMIT_S))
    if "images" not in config.option.markexpr:
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if item not in ours]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `image` runs for each image; one that takes `service`, for each Python service among them."""
    if "image" in metafunc.fixturenames:
        metafunc.parametrize("image", IMAGES)
    if "service" in metafunc.fixturenames:
        others = ("gateway", "janus", "coturn", "models")
        metafunc.parametrize("service", [name for name in IMAGES if name not in others])


@pytest.fixture(scope="session")
def built() -> str:
    """What the builder printed."""
    only = [word for name in IMAGES for word in ("--only", name)]
    command = [sys.executable, "scripts/images.py", *only]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False, timeout=BUILD_LIMIT_S)
    sys.stderr.write(done.stdout)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """NATS, PostgreSQL and S3; the services are in containers."""
    with EmbeddedStack(StackOptions(data_dir=tmp_path_factory.mktemp("behind"), root=ROOT, services=())) as stack:
        yield stack


@pytest.fixture
def keys(behind: EmbeddedStack, tmp_path: Path) -> Path:
    """The stack's key files, readable for the containers' user."""
    folder = tmp_path / "keys"
    shutil.copytree(behind.keys.master_key.parent, folder)
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, USER, USER)
    return folder


@pytest.fixture
def container(image: str, built: str) -> Iterator[Container]:
    """A container of an image, not started."""
    with Container(image) as made:
        yield made


@pytest.fixture
def service_container(service: str, built: str) -> Iterator[Container]:
    """A container of a Python service, not started."""
    with Container(service) as made:
        yield made
