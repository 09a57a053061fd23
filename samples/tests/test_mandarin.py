import pytest

from shuanglu_samples.errors import UnspeakableText
from shuanglu_samples.mandarin import to_phonemes, to_symbols


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("同意。", "tʰʊ↗ŋi↘."),
        ("我不同意。", "wo↓ pu↘ tʰʊ↗ŋi↘."),
        ("是的，我清楚了。", "ʂɨ↘ tɤ, wo↓ ʨʰi→ŋꭧʰu↓ lɤ."),
        ("嗯，那个", "ə↗n, na↘kɤ"),
        ("还款", "xwa↗nkʰwa↓n"),
        ("年利率", "njɛ↗nli↘ly↘"),
        ("四十二", "sɨ↘ ʂɨ↗ ɚ↘"),
        ("权益", "ʨʰɥɛ↗ni↘"),
    ],
)
def test_text_becomes_the_phonemes_of_the_voices(text: str, phonemes: str) -> None:
    assert to_phonemes(text) == phonemes


@pytest.mark.parametrize("text", ["R三", "8万元", "百分之4"])
def test_what_is_not_mandarin_is_refused(text: str) -> None:
    with pytest.raises(UnspeakableText):
        to_phonemes(text)


def test_symbols_stand_between_borders() -> None:
    symbols = to_symbols(to_phonemes("同意。"))
    assert symbols[0] == symbols[-1] == 0
    assert 0 not in symbols[1:-1]
