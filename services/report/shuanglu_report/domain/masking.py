"""Who may not be read in a report: the customer's name and ID number are masked before anything is stored."""

_HIDDEN_NAME = "**"
_HIDDEN_ID = "****"
_ID_TAIL = 4
# With fewer characters than this the tail would be most of the number.
_SHORTEST_ID = 8


def mask_name(name: str) -> str:
    """`王小明` becomes `王**`: two stars for every name, so that its length is hidden too. Twice changes nothing."""
    trimmed = name.strip()
    return trimmed[:1] + _HIDDEN_NAME if trimmed else ""


def mask_id_number(number: str) -> str:
    """`11010119900101123X` becomes `****123X`; a number of fewer than eight characters is hidden as a whole."""
    trimmed = number.strip()
    if not trimmed:
        return ""
    return _HIDDEN_ID + (trimmed[-_ID_TAIL:] if len(trimmed) >= _SHORTEST_ID else "")
