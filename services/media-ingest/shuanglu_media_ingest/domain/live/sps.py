"""The size of the pictures that a sequence parameter set describes (ISO/IEC 14496-10, 7.3.2.1.1)."""

from dataclasses import dataclass

_HIGH = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_4_4_4 = 3
_MAX_MACROBLOCKS = 1024  # 16384 pixels a side
_MAX_ZEROS = 31


class SpsDamaged(ValueError):
    """The bytes are no sequence parameter set."""


@dataclass(frozen=True, slots=True)
class Size:
    """Pixels as shown, after cropping."""

    width: int
    height: int


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def read(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise SpsDamaged("the sequence parameter set breaks off")
        return self._value >> self._left & ((1 << count) - 1)

    def ue(self) -> int:
        """Exp-Golomb (9.1)."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > _MAX_ZEROS:
                raise SpsDamaged("a number of the sequence parameter set is too long")
        return (1 << zeros) - 1 + self.read(zeros)

    def se(self) -> int:
        value = self.ue()
        return (value + 1) // 2 if value & 1 else -(value // 2)


def size(sps: bytes) -> Size:
    """Size of the pictures. `sps`: the NAL unit, its header included. Raises SpsDamaged."""
    bits = _Bits(sps[1:].replace(b"\0\0\3", b"\0\0"))
    profile = bits.read(8)
    bits.read(16)  # constraints, level
    bits.ue()
    chroma = _chroma(bits) if profile in _HIGH else 1
    bits.ue()  # log2_max_frame_num
    _order_count(bits)
    bits.ue()  # max_num_ref_frames
    bits.read(1)
    columns, rows = bits.ue() + 1, bits.ue() + 1
    frames_only = bits.read(1)
    if not frames_only:
        bits.read(1)
    bits.read(1)  # direct_8x8_inference
    crop = [bits.ue() for _ in range(4)] if bits.read(1) else [0, 0, 0, 0]
    unit_x = 2 if chroma in (1, 2) else 1
    unit_y = (2 if chroma == 1 else 1) * (2 - frames_only)
    if columns > _MAX_MACROBLOCKS or rows > _MAX_MACROBLOCKS:
        raise SpsDamaged("the pictures are larger than any camera's")
    width = columns * 16 - unit_x * (crop[0] + crop[1])
    height = rows * 16 * (2 - frames_only) - unit_y * (crop[2] + crop[3])
    if width <= 0 or height <= 0:
        raise SpsDamaged("nothing is left of the picture after cropping")
    return Size(width, height)


def _chroma(bits: _Bits) -> int:
    """Chroma format; steps over bit depths and scaling lists."""
    chroma = bits.ue()
    if chroma == _4_4_4:
        bits.read(1)
    bits.ue()
    bits.ue()
    bits.read(1)
    if bits.read(1):
        for number in range(12 if chroma == _4_4_4 else 8):
            if bits.read(1):
                _scaling_list(bits, 16 if number < 6 else 64)  # noqa: PLR2004 - six lists of 4x4 come first
    return chroma


def _scaling_list(bits: _Bits, length: int) -> None:
    last, following = 8, 8
    for _ in range(length):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _order_count(bits: _Bits) -> None:
    kind = bits.ue()
    if kind == 0:
        bits.ue()
    elif kind == 1:
        bits.read(1)
        bits.se()
        bits.se()
        count = bits.ue()
        if count > 255:  # noqa: PLR2004 - the standard's limit
            raise SpsDamaged("the sequence parameter set names too many reference frames")
        for _ in range(count):
            bits.se()
