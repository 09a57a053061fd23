"""Fixtures of all tests of quality."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from quality_scene import Change, Faces, Scene, Scenes, face

from shuanglu_quality.builtin import built_in
from shuanglu_quality.domain.strategy import Strategy
from shuanglu_quality.strategy_text import read


@pytest.fixture(scope="session")
def loan() -> Strategy:
    return next(one.strategy for one in built_in() if one.strategy.strategy_id == "personal-loan")


@pytest.fixture
def scene(loan: Strategy) -> Scene:
    return Scene(loan)


@pytest.fixture(scope="session")
def make_scene(loan: Strategy) -> Scenes:
    return lambda: Scene(loan)


@pytest.fixture(scope="session")
def make_face() -> Faces:
    return face


@pytest.fixture(scope="session")
def with_yaml() -> Change:
    """The built-in strategy with some of its text changed."""

    def change(*changes: tuple[str, str]) -> Strategy:
        text = next(one.yaml for one in built_in() if one.strategy.strategy_id == "personal-loan")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        reading = read(text)
        assert reading.strategy is not None, reading.problems
        return reading.strategy

    return change
