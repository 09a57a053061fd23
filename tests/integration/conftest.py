"""The real stack, once for all tests of a run, and samples that are made when a test asks for them.

Nothing is faked here: NATS, PostgreSQL, S3, Envoy and every service are processes of their own. A stack that a test
breaks on purpose is its own (`own_stack`).
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shuanglu.report.v1.report_pb2 import Report
from shuanglu_stack import EmbeddedStack, StackOptions
from shuanglu_stack.sampling import Client, client_of, sample_recording

ROOT = Path(__file__).resolve().parents[2]
CLEAN = ROOT / "samples" / "personal-loan"
# Speech is synthesised and pictures are drawn on the first run; afterwards the folder is taken from the cache.
MAKE_TIMEOUT_S = 600
TEST_TIMEOUT_S = 900

StackMaker = Callable[..., EmbeddedStack]
SampleMaker = Callable[[str], Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.path).is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.integration)
            # The first test that asks for a report waits for all samples of the run.
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(TEST_TIMEOUT_S))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """One stack for all tests that leave it as it is."""
    options = StackOptions(data_dir=tmp_path_factory.mktemp("stack"), root=ROOT)
    with EmbeddedStack(options) as running:
        yield running


@pytest.fixture(scope="session")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """The services that have doors, without models and with room for many calls: for tests that knock at every door."""
    options = StackOptions(
        data_dir=tmp_path_factory.mktemp("doors"),
        root=ROOT,
        services=("signaling", "media-ingest-live", "media-ingest", "quality", "report"),
        env={"SHUANGLU_LOG_LEVEL": "DEBUG"},
        gateway={"requests_per_10s": 1_000_000, "requests_per_s": 1_000_000},
    )
    with EmbeddedStack(options) as running:
        yield running


@pytest.fixture(scope="session")
def call_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """What calls need, and two of what may die: signaling, and media nodes."""
    options = StackOptions(
        data_dir=tmp_path_factory.mktemp("calls"),
        root=ROOT,
        services=("signaling", "media-ingest", "media-ingest-live", "quality"),
        replicas={"signaling": 2, "media-ingest-live": 2},
        gateway={
            "requests_per_10s": 1_000_000,
            "requests_per_s": 1_000_000,
            "accepts_per_10s": 1_000_000,
            "cors_origins": ["https://pages.bank.example"],
        },
    )
    with EmbeddedStack(options) as running:
        yield running


@pytest.fixture(scope="session")
def client(stack: EmbeddedStack) -> Iterator[Client]:
    """A developer of tenant `demo`."""
    with client_of(stack) as caller:
        yield caller


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Callable[..., EmbeddedStack]]:
    """Starts stacks with options of the test's own; all are stopped at its end."""
    running: list[EmbeddedStack] = []

    def start(**options: object) -> EmbeddedStack:
        data_dir = tmp_path / f"stack-{len(running)}"
        started = EmbeddedStack(StackOptions(**{"data_dir": data_dir, "root": ROOT, **options}))  # type: ignore[arg-type]
        running.append(started)
        return started.__enter__()

    yield start
    for each in running:
        each.stop()


@pytest.fixture(scope="session")
def sample() -> SampleMaker:
    """Folder of a sample; a variant is made if it is not there yet."""

    def folder_of(variant: str) -> Path:
        if variant == "clean":
            return CLEAN
        command = [sys.executable, "-m", "shuanglu_samples", "make", "--variant", variant]
        subprocess.run(command, cwd=ROOT, check=True, timeout=MAKE_TIMEOUT_S, capture_output=True)
        return ROOT / "build" / "samples" / variant

    return folder_of


@pytest.fixture(scope="session")
def inspected(
    request: pytest.FixtureRequest, client: Client, sample: SampleMaker
) -> Callable[[str], tuple[Path, Report]]:
    """A sample's folder and report. All samples of this run are sent in at once, so that no worker is ever idle."""
    wanted = {"clean"}
    for item in request.session.items:
        callspec = getattr(item, "callspec", None)
        # Unit tests of the samples have a parameter of that name too; only ours wait for a report.
        if callspec is not None and "inspected" in getattr(item, "fixturenames", ()) and "variant" in callspec.params:
            wanted.add(callspec.params["variant"])
    sent: dict[str, str] = {}
    reports: dict[str, Report] = {}

    def report_of(variant: str) -> tuple[Path, Report]:
        if not sent:
            for name in sorted(wanted | {variant}):
                sent[name] = client.send(sample_recording(sample(name))).session_id
        if variant not in sent:
            sent[variant] = client.send(sample_recording(sample(variant))).session_id
        if variant not in reports:
            reports[variant] = client.wait(sent[variant])
        return sample(variant), reports[variant]

    return report_of


@pytest.fixture
def clean_report(inspected: Callable[[str], tuple[Path, Report]]) -> Report:
    """The report of the clean sample."""
    return inspected("clean")[1]
