import pytest

from shuanglu_asr.domain.doubt import Doubt, compression, doubt, syllables
from shuanglu_asr.domain.heard import Decoding


def reading(text: str, avg_logprob: float = -0.2, no_speech: float = 0.1) -> Decoding:
    return Decoding(text, (1,), avg_logprob, no_speech)


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("同意。", 2), ("是的, 我清楚了", 6), ("R3 产品 hello world", 5), ("4.5%", 2)]
)
def test_syllables_are_characters_or_runs_of_letters(text: str, count: int):
    assert syllables(text) == count


@pytest.mark.parametrize("text", ["同意", "我不同意", "贷款年利率为4.5%,按月等额本息还款。"])
def test_a_likely_reading_is_believed(text: str):
    assert doubt(reading(text), 5000) is None


def test_a_reading_of_what_is_no_speech_is_not_believed():
    assert doubt(reading("同意", -1.1, 0.7), 800) is Doubt.NO_SPEECH


def test_no_speech_alone_is_not_enough():
    # Short answers have it, too: 同意 in the sample has 0.35.
    assert doubt(reading("同意", -0.1, 0.7), 800) is None


def test_a_reading_that_is_faster_than_anybody_speaks_is_not_believed():
    assert doubt(reading("同意同意同意同意同意同意"), 900) is Doubt.REPETITION


def test_a_long_reading_that_repeats_itself_is_not_believed():
    assert doubt(reading("请您确认" * 12), 20_000) is Doubt.REPETITION


@pytest.mark.parametrize("text", ["请不吝点赞 订阅 转发", "字幕由Amara.org社群提供", "谢谢观看"])
def test_the_end_of_a_subtitle_file_is_not_believed(text: str):
    assert doubt(reading(text), 9000) is Doubt.SUBTITLE


def test_nothing_compresses_to_nothing():
    assert compression("") == 1
