"""Whisper's tokens: its prompt, and words as groups of tokens."""

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from shuanglu_common.model_files import ModelUnusable

# Written without spaces: each group of tokens that is whole characters is a word.
UNSPACED = frozenset({"zh", "yue", "ja", "th", "lo", "my"})
BROKEN = "\ufffd"
FULL_WIDTH = str.maketrans({",": "，", "?": "？", "!": "！", ";": "；", ":": "：", ".": "。"})


class WhisperTokens:
    """The tokenizer with the special tokens of a multilingual model."""

    def __init__(self, path: Path) -> None:
        """Raises ModelUnusable."""
        try:
            self.tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises plain Exception
            raise ModelUnusable("the tokenizer cannot be loaded", model="whisper") from error
        self.end = self.special("endoftext")

    def special(self, name: str) -> int:
        """A special token. Raises ModelUnusable."""
        token: int | None = self.tokenizer.token_to_id(f"<|{name}|>")
        if token is None:
            raise ModelUnusable(f"the tokenizer has no {name}", model="whisper")
        return token

    def knows(self, language: str) -> bool:
        """Whether the model was trained on a language."""
        return self.tokenizer.token_to_id(f"<|{language}|>") is not None

    def start(self, language: str) -> list[int]:
        """What a transcription begins with."""
        return [self.special(name) for name in ("startoftranscript", language, "transcribe")]

    def prompt(self, language: str, hotwords: str) -> list[int]:
        """What the decoder is given: expected words, if any, as if they had been said before; no timestamps."""
        before: list[int] = []
        if hotwords:
            encoded = self.tokenizer.encode(" " + hotwords, add_special_tokens=False).ids
            before = [self.special("startofprev"), *encoded]
        return [*before, *self.start(language), self.special("notimestamps")]

    def text_tokens(self, tokens: list[int]) -> list[int]:
        """Without special tokens."""
        return [token for token in tokens if token < self.end]

    def text(self, tokens: list[int]) -> str:
        """Tokens as text; a character that was cut off is dropped."""
        decoded: str = self.tokenizer.decode(self.text_tokens(tokens))
        return decoded.replace(BROKEN, "").strip()

    def groups(self, tokens: list[int], language: str) -> list[tuple[str, int]]:
        """Words with their number of tokens, which sum up to all tokens. Spaced languages keep the space before."""
        made: list[tuple[str, int]] = []
        pending: list[int] = []
        for token in tokens:
            pending.append(token)
            piece: str = self.tokenizer.decode(pending)
            if BROKEN in piece:
                continue
            begins = language in UNSPACED or piece.startswith(" ") or not made
            if begins and (piece.strip().isalnum() or not made):
                made.append((piece, len(pending)))
            else:
                made[-1] = (made[-1][0] + piece, made[-1][1] + len(pending)) if made else (piece, len(pending))
            pending = []
        if pending:
            # Half a character at the end says nothing.
            made = [*made[:-1], (made[-1][0], made[-1][1] + len(pending))] if made else [("", len(pending))]
        texts = [text for text, _ in made]
        if language in UNSPACED:
            texts = neat(texts)
        elif texts:
            texts[0] = texts[0].lstrip()
        return [(text, count) for text, (_, count) in zip(texts, made, strict=True)]


def neat(words: Sequence[str]) -> list[str]:
    """Chinese as it is written: no spaces but between Latin words, and punctuation as wide as a character.

    Punctuation inside of numbers and Latin words stays as it is.
    """
    whole = "".join(words)
    made, at = [], 0
    for word in words:
        kept = []
        for char in word:
            before, after = whole[at - 1 : at] if at else "", whole[at + 1 : at + 2]
            latin = all(near.isascii() and near.isalnum() for near in (before or "，", after or "，"))
            at += 1
            if char != " " or latin:
                kept.append(char if latin else char.translate(FULL_WIDTH))
        made.append("".join(kept))
    return made
