"""A stack whose media nodes are reached through a line that can be cut."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shuanglu_caller.network import BadNetwork, may_shape
from shuanglu_stack import EmbeddedStack, StackOptions

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.integration.live_faults.stage import RESTART_PAUSES_S, ROOT, SERVICES

ABANDON_S = 10


@dataclass(frozen=True, slots=True)
class Rig:
    """The stack, and the line to the far side; none where we may not make one."""

    stack: EmbeddedStack
    line: BadNetwork | None
    opened: set[int] = field(default_factory=set)  # TCP ports that are reached over the line


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One for all tests: each leaves it whole, or has failed."""
    with ExitStack() as opened:
        line = opened.enter_context(BadNetwork()) if may_shape() else None
        options = StackOptions(
            data_dir=tmp_path_factory.mktemp("live-faults"),
            root=ROOT,
            services=SERVICES,
            media_host=line.near if line else "",
            restart_pauses_s=RESTART_PAUSES_S,
            service_env={"signaling": {"SHUANGLU_CALL_ABANDON_S": str(ABANDON_S)}},
        )
        stack = opened.enter_context(EmbeddedStack(options))
        yield Rig(stack, line)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """A figure for whoever runs the tests."""

    def write(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}\n")

    return write
