"""Is an answer a yes?

Negation is looked for first, and what is not plainly a yes or a no is unclear: silence or a mumble is no consent.
"""

import re
from enum import StrEnum

from shuanglu_quality.domain.matching import Heard, find, listen
from shuanglu_quality.domain.syllables import NEGATIONS, syllables


class Reply(StrEnum):
    """What an answer amounts to."""

    AFFIRMATIVE = "affirmative"
    NEGATIVE = "negative"
    UNCLEAR = "unclear"


# Sounds like a refusal but is none: taken out before negation is looked for.
_BENIGN = (
    *("没有任何疑问", "没有什么疑问", "没有疑问", "没有疑义", "没有异议", "没有任何异议", "没有意见"),
    *("没有任何问题", "没有什么问题", "没有问题", "没问题", "没意见", "没疑问", "没异议"),
    *("不好意思", "不错", "没错", "无异议", "无疑问", "无问题"),
)
_YES_BENIGN = tuple(phrase for phrase in _BENIGN if phrase != "不好意思")
_QUESTION = re.compile(r"(.)[不没]\1|吗|呢|什么|怎么|为何|哪|谁|多少|几|why|what|how|which|\?|？", re.IGNORECASE)
_HEDGE = re.compile(
    r"如果|要是|可能|也许|大概|考虑|再说|再想|等等|等一下|稍等|应该|不一定|好像|差不多|随便"
    r"|maybe|perhaps|think about|not sure",
    re.IGNORECASE,
)
_YES_WORDS = (
    *("同意", "清楚", "确认", "了解", "明白", "知道", "知晓", "知悉", "愿意", "自愿", "可以", "认可"),
    *("接受", "理解", "听清", "看清", "属实", "签署", "是的", "对的", "好的"),
)
# One-syllable yeses count only if the whole answer is made of them: as sounds they are everywhere.
_SHORT_YES = re.compile(r"(?:(?:是|对|好|行|嗯|的|啊|呀|哦|噢|我|我们|本人|这|就|了)+)")
_SHORT_YES_CORE = re.compile(r"[是对好行]")
# An answer is made of words of consent and of these; a sentence that merely contains one ("把同意书给我看") is none.
_FILLERS = frozenset(
    "我们咱本人自己的了是对好行嗯啊呀哦噢呢吧都也就那这些份个笔很非常已经完全全部以上上述风险内容合同协议条款事项"
    "申请办理贷款借款款签字署业务产品录音录像个人经理您你谢先生女士"
)
_MADE_OF_CONSENT = 0.6
_NO_WORDS = ("拒绝", "反对", "取消", "放弃", "免谈")
_ENGLISH_NO = re.compile(
    r"\b(?:no|nope|not|never|don'?t|do not|disagree|refuse|decline|can'?t|won'?t)\b", re.IGNORECASE
)
_ENGLISH_YES = re.compile(
    r"\b(?:yes|yeah|yep|agree|agreed|understand|understood|confirm|confirmed|clear|sure|ok|okay|correct|i do|accept)\b",
    re.IGNORECASE,
)
_NEGATION_SOUNDS = ("不", "没")


def classify(text: str) -> Reply:
    """What one decoding of an answer amounts to. An empty text is unclear."""
    lowered = text.strip()
    if not lowered or _QUESTION.search(lowered) or _HEDGE.search(lowered):
        return Reply.UNCLEAR
    rest, benign = _without_benign(lowered)
    heard = listen(syllables(rest))
    noes = _noes(rest, heard)
    if noes > 1:
        return Reply.UNCLEAR
    if noes == 1:
        return Reply.NEGATIVE
    if benign or _says_yes(rest, heard):
        return Reply.AFFIRMATIVE
    return Reply.UNCLEAR


def agreed(text: str, answer_text: str) -> Reply:
    """Both decodings together: they must say the same, else nothing is clear."""
    plain, prompted = classify(text), classify(answer_text)
    return plain if plain is prompted else Reply.UNCLEAR


def _without_benign(text: str) -> tuple[str, bool]:
    benign = False
    for phrase in _BENIGN:
        if phrase in text:
            benign = benign or phrase in _YES_BENIGN
            text = text.replace(phrase, "，")
    return text, benign


def _noes(text: str, heard: Heard) -> int:
    """Negations, by character and by a sound like 不 or 没 right before a word of consent."""
    written = {at for at, syllable in enumerate(heard.text) if syllable.char in NEGATIONS}
    sounding: set[int] = set()
    for word in _YES_WORDS:
        for match in find(word, heard, 1.0):
            before = match.start - 1
            if before >= 0 and not heard.text[match.start].after_break and _sounds_negative(heard, before):
                sounding.add(before)
    words = sum(len(find(word, heard, 1.0)) for word in _NO_WORDS)
    return len(written | sounding) + words + len(_ENGLISH_NO.findall(text))


def _sounds_negative(heard: Heard, at: int) -> bool:
    return any(heard.text[at].sounds & syllables(word)[0].sounds for word in _NEGATION_SOUNDS)


def _says_yes(text: str, heard: Heard) -> bool:
    plain = [syllable.char for syllable in heard.text if not syllable.char.isascii()]
    if not plain:
        return bool(_ENGLISH_YES.search(text))
    if _SHORT_YES.fullmatch("".join(plain)) and _SHORT_YES_CORE.search("".join(plain)):
        return True
    consent = {at for word in _YES_WORDS for match in find(word, heard, 1.0) for at in range(match.start, match.end)}
    fitting = consent | {at for at, syllable in enumerate(heard.text) if syllable.char in _FILLERS}
    return bool(consent) and len(fitting) >= _MADE_OF_CONSENT * len(heard.text)
