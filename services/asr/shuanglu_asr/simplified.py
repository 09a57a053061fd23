"""Traditional to simplified Chinese, with OpenCC's tables. Whisper writes both, at random."""

from opencc import OpenCC


class Simplifier:
    """Converts text; anything but traditional characters stays."""

    def __init__(self) -> None:
        """Loads the tables."""
        self.converter = OpenCC("t2s")

    def __call__(self, text: str) -> str:
        """The text in simplified characters."""
        return str(self.converter.convert(text))
