"""Errors of face-check.

DependencyError
└── EarlierSegmentMissing   a segment before this one is not in the store yet: the reference waits for it
DamagedData
└── PhotoUnreadable         the ID photo is no picture: faces are not compared with it, the check becomes UNSURE
"""

from shuanglu_common.errors import DamagedData, DependencyError


class PhotoUnreadable(DamagedData):
    """The ID photo cannot be read as a picture."""

    reason = "PHOTO_UNREADABLE"


class EarlierSegmentMissing(DependencyError):
    """A track's first segments are not all there yet, so its reference cannot be told."""

    outage = False
    reason = "EARLIER_SEGMENT_MISSING"
    help = "It is tried again; if it lasts, look for the segment in the store and in media-ingest's log."
