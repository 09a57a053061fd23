"""How times, amounts and measured values are written for people."""

from datetime import UTC, datetime, tzinfo

_MS = 1000
_SYMBOLS = {"CNY": "¥", "USD": "US$", "EUR": "€", "HKD": "HK$"}
_UNITS = {
    "s": ("秒 s", 1),
    "cosine": ("", 2),
    "score": ("", 2),
    "persons": ("人 persons", 0),
    "dBFS": ("dBFS", 1),
    "count": ("次 times", 0),
}


def position(at_ms: int) -> str:
    """A position as `mm:ss.d`, rounded down so that seeking to it never lands behind; minutes may pass 59."""
    tenths = max(at_ms, 0) // 100
    return f"{tenths // 600:02d}:{tenths // 10 % 60:02d}.{tenths % 10}"


def stretch(start_ms: int, end_ms: int) -> str:
    """`01:12.4–01:17.8`, or one position if both are the same."""
    return position(start_ms) if end_ms <= start_ms else f"{position(start_ms)}–{position(end_ms)}"


def local_time(at_us: int, zone: tzinfo) -> str:
    """`2026-11-23 10:02:31 +08:00`; empty for 0, which means unknown."""
    if not at_us:
        return ""
    moment = datetime.fromtimestamp(at_us // 1_000_000, UTC).astimezone(zone)
    return moment.isoformat(sep=" ", timespec="seconds").replace("+", " +")


def money(amount_fen: int, currency: str) -> str:
    """`¥80,000.00`; the ISO code stands in front where there is no sign for it."""
    symbol = _SYMBOLS.get(currency, f"{currency} " if currency else "")
    return f"{symbol}{amount_fen // 100:,}.{amount_fen % 100:02d}"


def quantity(value: float, unit: str) -> str:
    """A measured value or a limit with its unit: `5.4 秒 s`, `97.3 %`, `0.62`."""
    if unit == "ratio":
        return f"{value * 100:.1f} %"
    words, digits = _UNITS.get(unit, (unit, 2))
    return f"{value:.{digits}f} {words}".rstrip()
