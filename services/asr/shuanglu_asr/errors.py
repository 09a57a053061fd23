"""Errors of asr.

InternalError
└── RecognitionFailed   the recogniser refused a sound: its window is reported as failed and becomes UNSURE
DamagedData
└── SoundUnreadable     a segment holds no sound that can be decoded: its track or window becomes UNSURE
"""

from shuanglu_common.errors import DamagedData, InternalError


class RecognitionFailed(InternalError):
    """The recogniser raised an error for a sound."""

    reason = "RECOGNITION_FAILED"


class SoundUnreadable(DamagedData):
    """The sound of a segment cannot be decoded."""

    reason = "SOUND_UNREADABLE"
