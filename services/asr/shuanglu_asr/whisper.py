"""Whisper through CTranslate2: a Recogniser. Deterministic: no sampling, no memory of what was recognised before."""

import math
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import ctranslate2
import numpy as np

from shuanglu_asr.av_sound import Samples
from shuanglu_asr.domain.heard import Decoding, Word
from shuanglu_asr.errors import RecognitionFailed
from shuanglu_asr.mel import FRAME_MS, HOP, LogMel
from shuanglu_asr.whisper_tokens import WhisperTokens
from shuanglu_common.model_files import ModelUnusable
from shuanglu_common.model_metrics import tell_model

BEAM = 5
# Turns that are read together. Each needs 24 MB while it is read; more than four save nothing.
TOGETHER = 4
# The encoder halves the rate of the spectrogram.
STEP_MS = 2 * FRAME_MS
DEFAULT_SUPPRESSED = [-1]


class Whisper:
    """The loaded model. Calls may come from several threads; the library queues them."""

    def __init__(self, folder: Path, device: str, compute_type: str, threads: int) -> None:
        """Raises ModelUnusable."""
        self.tokens = WhisperTokens(folder / "tokenizer.json")
        self.mel = LogMel()
        try:
            self.model = ctranslate2.models.Whisper(
                str(folder), device=device, compute_type=compute_type, intra_threads=threads, inter_threads=1
            )
        except (RuntimeError, ValueError) as error:
            raise ModelUnusable("the recogniser cannot be loaded", model=folder.name) from error

    def hear(self, sound: Samples, context_ms: int) -> "WhisperHearing":
        """See Recogniser."""
        features = self.mel(sound, context_ms // FRAME_MS)
        started = perf_counter()
        try:
            encoded = self.model.encode(ctranslate2.StorageView.from_array(features[None]))
        except (RuntimeError, ValueError) as error:
            raise RecognitionFailed(f"the encoder refused a sound: {type(error).__name__}") from error
        tell_model("whisper_encoder", perf_counter() - started)
        return WhisperHearing(self, encoded, min(len(sound) // HOP, features.shape[1]))

    def read(
        self, hearings: Sequence["WhisperHearing"], language: str, hotwords: str, most_tokens: int
    ) -> list[Decoding]:
        """See Recogniser."""
        prompt = self.tokens.prompt(language, hotwords)
        made: dict[int, Decoding] = {}
        for numbers in self.batches(hearings):
            encoded = joined([hearings[number].encoded for number in numbers])
            started = perf_counter()
            try:
                results = self.model.generate(
                    encoded,
                    [prompt] * len(numbers),
                    beam_size=BEAM,
                    max_length=len(prompt) + most_tokens,
                    return_scores=True,
                    return_no_speech_prob=True,
                    suppress_blank=True,
                    suppress_tokens=DEFAULT_SUPPRESSED,
                )
            except (RuntimeError, ValueError) as error:
                raise RecognitionFailed(f"the decoder refused a sound: {type(error).__name__}") from error
            tell_model("whisper_decoder", perf_counter() - started, len(numbers))
            made.update(zip(numbers, map(self.decoding, results), strict=True))
        return [made[number] for number in range(len(hearings))]

    def batches(self, hearings: Sequence["WhisperHearing"]) -> list[list[int]]:
        """Which hearings are read together: those of one context, on a processor."""
        by_context: dict[int, list[int]] = {}
        for number, hearing in enumerate(hearings):
            by_context.setdefault(int(hearing.encoded.shape[1]), []).append(number)
        most = TOGETHER if self.model.device == "cpu" else 1
        return [numbers[at : at + most] for numbers in by_context.values() for at in range(0, len(numbers), most)]

    def decoding(self, result: Any) -> Decoding:
        """What the decoder says, as a value."""
        tokens = self.tokens.text_tokens(result.sequences_ids[0])
        return Decoding(
            text=self.tokens.text(tokens),
            tokens=tuple(tokens),
            avg_logprob=min(0.0, float(result.scores[0])),
            no_speech=float(result.no_speech_prob),
        )


class WhisperHearing:
    """See Hearing. `frames` is how much of the context is sound."""

    def __init__(self, whisper: Whisper, encoded: Any, frames: int) -> None:
        """Keeps the encoder's output, so that several readings share it."""
        self.model = whisper.model
        self.tokens = whisper.tokens
        self.encoded = encoded
        self.frames = frames

    def language(self, candidates: Sequence[str]) -> dict[str, float]:
        """See Hearing."""
        try:
            (likely,) = self.model.detect_language(self.encoded)
        except (RuntimeError, ValueError) as error:
            raise RecognitionFailed(f"the language cannot be told: {type(error).__name__}") from error
        wanted = {f"<|{candidate}|>": candidate for candidate in candidates}
        return {wanted[token]: float(value) for token, value in likely if token in wanted}

    def words(self, language: str, decoding: Decoding) -> tuple[Word, ...]:
        """See Hearing: by the decoder's attention, aligned with dynamic time warping."""
        if not decoding.tokens:
            return ()
        tokens = list(decoding.tokens)
        try:
            (aligned,) = self.model.align(self.encoded, self.tokens.start(language), [tokens], self.frames)
        except (RuntimeError, ValueError) as error:
            raise RecognitionFailed(f"words cannot be aligned: {type(error).__name__}") from error
        starts = token_starts(aligned.alignments, len(tokens), self.frames * FRAME_MS)
        probabilities = [float(value) for value in aligned.text_token_probs]
        made, at = [], 0
        for text, count in self.tokens.groups(tokens, language):
            own = probabilities[at : at + count]
            sure = math.fsum(own) / len(own) if own else 0.0
            if text:
                made.append(Word(text, starts[at], starts[at + count], min(1.0, max(0.0, sure))))
            at += count
        return tuple(made)


def joined(encoded: Sequence[Any]) -> Any:
    """The encoder's outputs of several sounds as one batch."""
    if len(encoded) == 1:
        return encoded[0]
    return ctranslate2.StorageView.from_array(np.concatenate([np.asarray(one) for one in encoded]))


def token_starts(alignments: Sequence[tuple[int, int]], tokens: int, end_ms: int) -> list[int]:
    """Where each token begins, and where the last one ends, in milliseconds; never going back."""
    first: dict[int, int] = {}
    for token, step in alignments:
        first.setdefault(token, step * STEP_MS)
    starts, latest = [], 0
    for token in range(tokens):
        latest = min(end_ms, max(latest, first.get(token, latest)))
        starts.append(latest)
    return [*starts, max(latest, min(end_ms, first.get(tokens, end_ms)))]
