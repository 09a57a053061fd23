"""Which characters a font can print. PDF/A forbids missing glyphs, and a transcript or a name may hold any character.

Reads only the `cmap` table (OpenType 1.9, format 12) of the first face of a font or collection.
"""

import struct
from bisect import bisect_right
from pathlib import Path
from typing import BinaryIO, Self

# Face of the report, as Debian's fonts-noto-cjk names its file.
REGULAR = "NotoSansCJK-Regular.ttc"
_GETA = "〓"  # The printers' mark for a character that is not there.
_FORMAT_SEGMENTED = 12
_FIRST_PRINTABLE = " "
# Marks that turn the direction of what follows (UAX #9): a name could make the words behind it read backwards.
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Glyphs:
    """The characters of one font, as sorted ranges."""

    def __init__(self, ranges: list[tuple[int, int]]) -> None:
        """`ranges`: first and last code point, both inclusive."""
        self._ranges = sorted(ranges)
        self._starts = [first for first, _ in self._ranges]

    @classmethod
    def of(cls, path: Path) -> Self:
        """Read a font file. ValueError if it is none or has no table of all of Unicode."""
        with path.open("rb") as file:
            try:
                return cls(_ranges(_cmap_table(file)))
            except struct.error as error:
                raise ValueError(f"{path.name} is not a font") from error

    def can_print(self, character: str) -> bool:
        """True if the font has a glyph for it."""
        code = ord(character)
        at = bisect_right(self._starts, code) - 1
        return at >= 0 and code <= self._ranges[at][1]

    def printable(self, text: str) -> str:
        """The text with 〓 for what the font cannot print; line breaks and tabs become spaces, other controls go.

        So do the marks that turn the direction of text.
        """
        spaced = (" " if character in "\n\r\t" else character for character in text)
        return "".join(
            character if self.can_print(character) else _GETA
            for character in spaced
            if character >= _FIRST_PRINTABLE and not "\x7f" <= character <= "\x9f" and character not in _TURNING
        )


def _at(file: BinaryIO, offset: int, form: str) -> tuple[int, ...]:
    """Numbers at an offset of the file."""
    file.seek(offset)
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _cmap_table(file: BinaryIO) -> bytes:
    """The bytes of `cmap`, found through the table directory."""
    (magic,) = _at(file, 0, ">I")
    start = _at(file, 12, ">I")[0] if magic == int.from_bytes(b"ttcf", "big") else 0
    (tables,) = _at(file, start + 4, ">H")
    for index in range(tables):
        tag, _, offset, length = _at(file, start + 12 + 16 * index, ">IIII")
        if tag == int.from_bytes(b"cmap", "big"):
            file.seek(offset)
            return file.read(length)
    raise ValueError("the font has no cmap table")


def _ranges(cmap: bytes) -> list[tuple[int, int]]:
    """Groups of the first subtable that covers all planes."""
    (count,) = struct.unpack_from(">H", cmap, 2)
    for index in range(count):
        _, _, offset = struct.unpack_from(">HHI", cmap, 4 + 8 * index)
        (form,) = struct.unpack_from(">H", cmap, offset)
        if form == _FORMAT_SEGMENTED:
            (groups,) = struct.unpack_from(">I", cmap, offset + 12)
            triples = (struct.unpack_from(">III", cmap, offset + 16 + 12 * group) for group in range(groups))
            return [(first, last) for first, last, _ in triples]
    raise ValueError("the font has no table of all of Unicode")
