"""Stacks that are broken on purpose, and the recordings that go through them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shuanglu_stack import EmbeddedStack, StackOptions

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.integration.faults.recordings import ROOT, Shapes, make_shapes
from tests.integration.faults.trial import Trial

# Started again at once: a test waits for recovery, not for the patience of a supervisor.
RESTART_PAUSES_S = (0.5, 1.0, 2.0)
PATIENCE_S = 120


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Shapes:
    """Short recordings."""
    return make_shapes(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory, shapes: Shapes) -> Iterator[Trial]:
    """A stack of this module's own, with the reports that it gives undisturbed."""
    options = StackOptions(
        data_dir=tmp_path_factory.mktemp("faults") / "stack", root=ROOT, restart_pauses_s=RESTART_PAUSES_S
    )
    with EmbeddedStack(options) as stack:
        made = Trial(stack, shapes, PATIENCE_S)
        made.baseline()
        yield made
