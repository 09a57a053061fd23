"""When a reading is not believed. A recogniser trained on subtitles makes up text where it hears nothing.

Thresholds are Whisper's own (Radford et al. 2022, section 4.5), where it has one.
"""

import zlib
from enum import StrEnum

from shuanglu_asr.domain.heard import Decoding

MOST_COMPRESSION = 2.4
LEAST_LOGPROB = -1.0
MOST_NO_SPEECH = 0.6
# Fast Mandarin has 7 syllables a second; what is faster repeats itself.
MOST_SYLLABLES_A_SECOND = 10
ALWAYS_POSSIBLE = 4

# Endings of subtitles that Chinese Whisper models say over silence and noise. No bank employee says them.
SUBTITLES = ("点赞", "字幕", "谢谢观看", "感谢观看", "订阅", "amara", "明镜", "优优独播剧场", "中文字幕")


class Doubt(StrEnum):
    """Why a reading is not believed."""

    NO_SPEECH = "no_speech"
    REPETITION = "repetition"
    SUBTITLE = "subtitle"


def syllables(text: str) -> int:
    """How many syllables a text has at least: a Chinese character is one, so is a run of other letters."""
    count, inside = 0, False
    for char in text:
        wide = char > "\u2e7f"
        count += char.isalnum() and (wide or not inside)
        inside = char.isalnum() and not wide
    return count


def compression(text: str) -> float:
    """How much shorter zlib makes it: above 2.4 it repeats itself."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 1.0


def doubt(decoding: Decoding, duration_ms: int) -> Doubt | None:
    """What speaks against a reading of a turn that lasts `duration_ms`; None if nothing does."""
    if decoding.no_speech > MOST_NO_SPEECH and decoding.avg_logprob < LEAST_LOGPROB:
        return Doubt.NO_SPEECH
    most = max(ALWAYS_POSSIBLE, MOST_SYLLABLES_A_SECOND * duration_ms / 1000)
    if syllables(decoding.text) > most or compression(decoding.text) > MOST_COMPRESSION:
        return Doubt.REPETITION
    if any(phrase in decoding.text.lower() for phrase in SUBTITLES):
        return Doubt.SUBTITLE
    return None
