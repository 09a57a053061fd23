"""Mandarin text to the phonemes that the Kokoro voices were trained on.

Kokoro writes a syllable in IPA with its lexical tone as an arrow (→ ↗ ↓ ↘, none for the neutral tone)
and puts a space between words. Readings come from pypinyin's dictionary, words from a list of the
words that bank scripts use, else a word is a syllable; words decide only the rhythm. Sources of the
sounds: Duanmu, The Phonology of Standard Chinese (2007); Lin, The Sounds of Chinese (2007).
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from pypinyin import Style, lazy_pinyin

from shuanglu_samples.errors import UnspeakableText

_INITIALS: Final = {
    "": "", "b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ", "n": "n", "l": "l", "g": "k", "k": "kʰ",
    "h": "x", "j": "ʨ", "q": "ʨʰ", "x": "ɕ", "zh": "ꭧ", "ch": "ꭧʰ", "sh": "ʂ", "r": "ɻ", "z": "ʦ", "c": "ʦʰ", "s": "s",
}  # fmt: skip
# "0" marks the vowel that carries the tone.
_FINALS: Final = {
    "a": "a0", "ai": "ai0", "an": "a0n", "ang": "a0ŋ", "ao": "au0", "e": "ɤ0", "ei": "ei0", "en": "ə0n", "eng": "ə0ŋ",
    "i": "i0", "ia": "ja0", "ian": "jɛ0n", "iang": "ja0ŋ", "iao": "jau0", "ie": "je0", "in": "i0n", "iou": "jou0",
    "ing": "i0ŋ", "iong": "jʊ0ŋ", "ong": "ʊ0ŋ", "ou": "ou0", "u": "u0", "uei": "wei0", "ua": "wa0", "uai": "wai0",
    "uan": "wa0n", "uen": "wə0n", "uang": "wa0ŋ", "ueng": "wə0ŋ", "uo": "wo0", "o": "wo0", "v": "y0", "ve": "ɥe0",
    "van": "ɥɛ0n", "vn": "y0n", "er": "ɚ0", "n": "n0",
}  # fmt: skip
_TONES: Final = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}
_APICAL_AFTER: Final = frozenset({"zh", "ch", "sh", "r", "z", "c", "s"})
_PUNCTUATION: Final = {"，": ", ", "、": ", ", "。": ". ", "！": "! ", "？": "? ", "：": ": ", "；": "; ", "…": "… "}
_HAN: Final = re.compile(r"[\u4e00-\u9fff]+")

_BANK_WORDS: Final = """
    您好 客户经理 保护 权益 本次 业务 办理 全程 录音 录像 请问 是否 同意 本人 自愿 申请 这笔 个人 贷款
    个人消费 金额 八万元 期限 二十四个 年利率 百分之 四点五 等额 本息 还款 按月 清楚 注意 不得 用于 购房
    投资 如果 逾期 影响 征信 记录 采用 方式 并会 产生 罚息 了解 以上 风险 确认 签署 这份 借款 合同 到此 结束 感谢
    配合 放心 保证 通过 无需 那个 现在 核对 身份 正对 摄像头 文本 稍后 发送 手机 妥善 保管
"""
_WORDS: Final = frozenset(_BANK_WORDS.split())
_LONGEST_WORD: Final = max(map(len, _WORDS))
# Where the dictionary's first reading is not the bank's.
_READINGS: Final = {"还款": (("h", "uan2"), ("k", "uan3")), "嗯": (("", "en2"),), "唔": (("", "u2"),)}

# Positions of the symbols in the model's vocabulary; 0 is the border of an utterance.
_SYMBOLS: Final = {
    ";": 1, ":": 2, ",": 3, ".": 4, "!": 5, "?": 6, "…": 10, " ": 16, "ʦ": 20, "ʨ": 21, "ꭧ": 23, "a": 43, "e": 47,
    "f": 48, "i": 51, "j": 52, "k": 53, "l": 54, "m": 55, "n": 56, "o": 57, "p": 58, "s": 61, "t": 62, "u": 63, "w": 65,
    "x": 66, "y": 67, "ɕ": 77, "ə": 83, "ɚ": 85, "ɛ": 86, "ɥ": 99, "ɨ": 101, "ŋ": 112, "ɻ": 126, "ʂ": 130, "ʊ": 135,
    "ɤ": 140, "ʰ": 162, "↓": 169, "→": 171, "↗": 172, "↘": 173,
}  # fmt: skip


def to_phonemes(text: str) -> str:
    """Phonemes of a Mandarin text. Raises UnspeakableText for digits, Latin letters and unknown signs."""
    parts: list[str] = []
    position = 0
    while position < len(text):
        if han := _HAN.match(text, position):
            parts.append(" ".join(_word(word) for word in _words(han[0])))
            position = han.end()
        elif (mark := _PUNCTUATION.get(text[position])) is not None:
            parts.append(mark)
            position += 1
        else:
            raise UnspeakableText(text)
    return "".join(parts).strip()


def to_symbols(phonemes: str) -> list[int]:
    """Numbers of the phonemes in the model's vocabulary, with the border on both sides."""
    return [0, *(_SYMBOLS[symbol] for symbol in phonemes), 0]


def _words(han: str) -> Iterator[str]:
    """Longest known word first; a sign that begins none stands alone."""
    while han:
        size = next((size for size in range(_LONGEST_WORD, 1, -1) if han[:size] in _WORDS), 1)
        yield han[:size]
        han = han[size:]


def _word(word: str) -> str:
    if known := _READINGS.get(word):
        return "".join(_syllable(initial, final) for initial, final in known)
    initials = lazy_pinyin(word, style=Style.INITIALS, strict=True)
    finals = lazy_pinyin(word, style=Style.FINALS_TONE3, strict=True, neutral_tone_with_five=True)
    return "".join(_syllable(initial, final) for initial, final in zip(initials, finals, strict=True))


@cache
def _syllable(initial: str, final: str) -> str:
    body, tone = final[:-1], final[-1:]
    if initial not in _INITIALS or body not in _FINALS or tone not in _TONES:
        raise UnspeakableText(initial + final)
    vowel = "ɨ0" if body == "i" and initial in _APICAL_AFTER else _FINALS[body]
    return _INITIALS[initial] + vowel.replace("0", _TONES[tone])
