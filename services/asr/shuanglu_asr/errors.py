"""Errors of asr.

InternalError
├── ModelUnusable       a model is missing, not the expected one, or does not load: the worker is not ready
└── RecognitionFailed   the recogniser refused a sound: its window is reported as failed and becomes UNSURE
DamagedData
└── SoundUnreadable     a segment holds no sound that can be decoded: its track or window becomes UNSURE
"""

from shuanglu_common.errors import DamagedData, InternalError


class ModelUnusable(InternalError):
    """A model is missing, is not the one that the manifest names, or does not load."""

    reason = "MODEL_UNUSABLE"
    help = "Run `python scripts/models.py`, or mount the folder that SHUANGLU_MODELS_DIR names, and start again."


class RecognitionFailed(InternalError):
    """The recogniser raised an error for a sound."""

    reason = "RECOGNITION_FAILED"


class SoundUnreadable(DamagedData):
    """The sound of a segment cannot be decoded."""

    reason = "SOUND_UNREADABLE"
