"""What can go wrong for a caller.

CallerError
├── DoorRefused      the WHIP or WHEP endpoint, or the call service, says no
├── DoorUnreachable  nothing answers
├── BadFilm          the file cannot be sent as it is
└── NotConnected     no media connection came about in time
"""


class CallerError(Exception):
    """`reason` is stable and for programs; it is the service's own where the service refused."""

    def __init__(self, what: str, reason: str = "") -> None:
        super().__init__(what)
        self.reason = reason or type(self).__name__


class DoorRefused(CallerError):
    """A door of the product says no, and would say so again."""


class DoorUnreachable(CallerError):
    """Nothing answers, or only the gateway does; later it may."""


class BadFilm(CallerError):
    """A file that cannot be sent without encoding it anew."""


class NotConnected(CallerError):
    """ICE or DTLS did not come to an end in time."""
