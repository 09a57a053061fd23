"""Numbers as they are spoken: recognisers write 24个月 and 4.5% where a script has 二十四 and 百分之四点五."""

_DIGITS = "零一二三四五六七八九"
_UNITS = ("", "十", "百", "千")
_GROUPS = ("", "万", "亿", "万亿")
_GROUP = 10_000
_LONGEST = 12


def spoken_number(written: str) -> str:
    """Chinese words of a number such as `80,000`, `4.5` or `4.5%`. Numbers of more than 12 digits are spelled out."""
    text = written.replace(",", "").replace(" ", "")
    percent = text.endswith(("%", "％"))
    whole, _, fraction = text.rstrip("%％").partition(".")
    words = _whole(whole)
    if fraction:
        words += "点" + "".join(_DIGITS[int(digit)] for digit in fraction)
    return f"百分之{words}" if percent else words


def _whole(digits: str) -> str:
    if len(digits) > _LONGEST or (len(digits) > 1 and digits.startswith("0")):
        return "".join(_DIGITS[int(digit)] for digit in digits)
    number = int(digits)
    if number == 0:
        return _DIGITS[0]
    groups: list[int] = []
    while number:
        groups.append(number % _GROUP)
        number //= _GROUP
    words = ""
    for place in reversed(range(len(groups))):
        group = groups[place]
        if group == 0:
            continue
        if words and group < _GROUP // 10:
            words += _DIGITS[0]
        words += _group(group) + _GROUPS[place]
    return words.removeprefix("一") if words.startswith("一十") else words


def _group(number: int) -> str:
    words = ""
    zero = False
    for place in reversed(range(4)):
        digit = number // 10**place % 10
        if digit == 0:
            zero = bool(words)
            continue
        if zero:
            words += _DIGITS[0]
            zero = False
        words += _DIGITS[digit] + _UNITS[place]
    return words
