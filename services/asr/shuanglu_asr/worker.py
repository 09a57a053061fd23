"""The part of the work that keeps a processor busy: decode, listen, recognise. Runs in a cell; keeps no state."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shuanglu_asr.av_sound import Samples, SoundReader
from shuanglu_asr.domain.heard import Utterance
from shuanglu_asr.domain.transcribing import ANSWER_LANGUAGE, Transcriber
from shuanglu_asr.domain.turns import Turn, TurnRules
from shuanglu_asr.listener import Listener
from shuanglu_asr.metrics import DOUBTS
from shuanglu_asr.silero import Silero
from shuanglu_asr.simplified import Simplifier
from shuanglu_asr.stretches import stretches
from shuanglu_asr.whisper import Whisper, WhisperHearing
from shuanglu_common.model_files import ModelFiles, verified


class EarSettings(Protocol):
    """What AsrSettings say of the models; a child has them without the rest."""

    @property
    def models_dir(self) -> Path:
        """See AsrSettings."""
        ...

    @property
    def asr_device(self) -> str:
        """See AsrSettings."""
        ...

    @property
    def asr_compute_type(self) -> str:
        """See AsrSettings."""
        ...

    @property
    def asr_cpu_threads(self) -> int:
        """See AsrSettings."""
        ...

    @property
    def asr_start_probability(self) -> float:
        """See AsrSettings."""
        ...

    @property
    def asr_end_probability(self) -> float:
        """See AsrSettings."""
        ...

    @property
    def asr_min_speech_ms(self) -> int:
        """See AsrSettings."""
        ...

    @property
    def asr_min_silence_ms(self) -> int:
        """See AsrSettings."""
        ...


@dataclass(frozen=True, slots=True)
class Worker:
    """Ears, and a memory of words."""

    silero: Silero
    whisper: Whisper
    transcriber: Transcriber[Samples, WhisperHearing]
    rules: TurnRules
    ear_model: ModelFiles
    word_model: ModelFiles

    def listener(self) -> Listener:
        """For one track."""
        return Listener(self.silero, self.rules)

    def languages(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """BCP 47 tags as languages of the recogniser, without those that it does not know; Mandarin if none is left."""
        codes = dict.fromkeys(tag.split("-")[0].lower() for tag in wanted)
        return tuple(code for code in codes if self.whisper.tokens.knows(code)) or (ANSWER_LANGUAGE,)

    def recognise(self, data: bytes, turns: Sequence[Turn], wanted: Sequence[str]) -> tuple[Utterance, ...]:
        """What the turns say, one utterance each; `data` is the init and the segments that hold them.

        Raises SoundUnreadable, SegmentUnreadable, RecognitionFailed.
        """
        reader = SoundReader()
        blocks = (block for part in (reader.read(data), reader.finish()) for block in part)
        languages = self.languages(wanted)
        return self.transcriber.transcribe(list(stretches(blocks, turns)), languages)


def open_worker(settings: EarSettings) -> Worker:
    """Verify and load the models. Raises ModelUnusable."""
    ear_model = verified(settings.models_dir, "silero-vad")
    word_model = verified(settings.models_dir, "whisper-base")
    whisper = Whisper(word_model.path.parent, settings.asr_device, settings.asr_compute_type, settings.asr_cpu_threads)
    rules = TurnRules(
        start_probability=settings.asr_start_probability,
        end_probability=min(settings.asr_start_probability, settings.asr_end_probability),
        min_speech_ms=settings.asr_min_speech_ms,
        min_silence_ms=settings.asr_min_silence_ms,
    )
    return Worker(
        silero=Silero(ear_model.path, settings.asr_cpu_threads),
        whisper=whisper,
        transcriber=Transcriber(whisper, Simplifier(), lambda reason: DOUBTS.labels(reason.value).inc()),
        rules=rules,
        ear_model=ear_model,
        word_model=word_model,
    )
