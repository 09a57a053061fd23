from pathlib import Path

import numpy as np
import pytest

from shuanglu_samples.voice import Sound, Speaker


class Drawing(Speaker):
    """Speaks like the model: each call draws from the same stream of random numbers."""

    def __init__(self, cache: Path) -> None:
        super().__init__(cache)
        self.random = np.random.default_rng(7)

    def _synthesise(self, phonemes: str, voice: str, speed: float) -> Sound:
        return self.random.uniform(0.1, 0.9, 2_000).astype(np.float32)


LINES = ["您好。", "请问您是否同意？", "同意。"]


def spoken(cache: Path, lines: list[str]) -> list[bytes]:
    speaker = Drawing(cache)
    return [speaker.speak(line, "zm_1", 1.0).tobytes() for line in lines]


@pytest.mark.parametrize("cached", range(4))
def test_what_is_in_the_cache_changes_no_sound(tmp_path: Path, cached: int):
    wanted = spoken(tmp_path / "fresh", LINES)
    spoken(tmp_path / "partly", LINES[:cached])
    assert spoken(tmp_path / "partly", LINES) == wanted


def test_other_lines_before_are_another_sound(tmp_path: Path):
    assert spoken(tmp_path, LINES)[2] != spoken(tmp_path, LINES[1:])[1]
