"""Errors that cross a door or the bus.

    ShuangluError
    ├── CallerError          the caller's fault; repeating the call does not help
    │   ├── InvalidInput     INVALID_ARGUMENT
    │   ├── Unauthenticated  UNAUTHENTICATED
    │   ├── Forbidden        PERMISSION_DENIED
    │   ├── NotFound         NOT_FOUND
    │   ├── Conflict         ALREADY_EXISTS
    │   ├── NotAllowedNow    FAILED_PRECONDITION
    │   └── TooMany          RESOURCE_EXHAUSTED
    ├── DependencyError      a system beside us is away; retryable
    ├── DamagedData          bytes are not what they should be; DATA_LOSS
    └── InternalError        ours

`reason` is stable and goes into gRPC ErrorInfo, JSON, dead letters and metrics. Messages never hold personal data.
"""

from typing import ClassVar

import grpc

DOMAIN = "shuanglu"


class ShuangluError(Exception):
    """An error with a stable reason that a program can act on and a help text that a person can act on."""

    reason: ClassVar[str] = "INTERNAL"
    status: ClassVar[grpc.StatusCode] = grpc.StatusCode.INTERNAL
    retryable: ClassVar[bool] = False
    help: ClassVar[str] = ""

    def __init__(self, message: str = "", **details: str) -> None:
        """`details` become the metadata of ErrorInfo."""
        super().__init__(message or self.help or self.reason)
        self.details = details

    @property
    def fault_is_ours(self) -> bool:
        """Whether somebody of ours should look: neither the caller's fault nor a passing outage."""
        return not isinstance(self, CallerError) and not self.retryable

    @property
    def metadata(self) -> dict[str, str]:
        """Metadata of ErrorInfo: the details, and what a person should do."""
        return {**self.details, "help": self.help} if self.help else dict(self.details)

    def diagnostics(self) -> str:
        """What happened and what a person should do now, in one or two sentences."""
        text = str(self)
        return text if not self.help or self.help in text else f"{text} {self.help}"


class CallerError(ShuangluError):
    """The caller must change something before it helps to call again."""

    reason = "INVALID_ARGUMENT"
    status = grpc.StatusCode.INVALID_ARGUMENT


class InvalidInput(CallerError):
    """The request itself is wrong."""


class Unauthenticated(CallerError):
    """No token, or one that does not hold."""

    reason = "UNAUTHENTICATED"
    status = grpc.StatusCode.UNAUTHENTICATED
    help = "Send a valid token in the Authorization header."


class Forbidden(CallerError):
    """The token's roles do not allow the call."""

    reason = "FORBIDDEN"
    status = grpc.StatusCode.PERMISSION_DENIED
    help = "Ask an administrator for a role that may do this; docs/api.md lists them."


class NotFound(CallerError):
    """It does not exist, or belongs to another tenant: both look the same."""

    reason = "NOT_FOUND"
    status = grpc.StatusCode.NOT_FOUND


class Conflict(CallerError):
    """It exists already, with other content."""

    reason = "ALREADY_EXISTS"
    status = grpc.StatusCode.ALREADY_EXISTS


class NotAllowedNow(CallerError):
    """The thing is in a state that does not allow the call."""

    reason = "FAILED_PRECONDITION"
    status = grpc.StatusCode.FAILED_PRECONDITION


class TooMany(CallerError):
    """A limit is reached."""

    reason = "RESOURCE_EXHAUSTED"
    status = grpc.StatusCode.RESOURCE_EXHAUSTED
    help = "Wait and try again."


class DependencyError(ShuangluError):
    """The bus, the database, the store or another service is away or slow. Trying again later helps.

    `outage`: whether other work fares no better meanwhile; False for what only this one piece of work waits for.
    """

    outage: ClassVar[bool] = True
    reason = "DEPENDENCY_UNAVAILABLE"
    status = grpc.StatusCode.UNAVAILABLE
    retryable = True
    help = "Try again; if it lasts, look at the readiness of the services."


class DamagedData(ShuangluError):
    """Stored or received bytes fail their checksum or cannot be read."""

    reason = "DAMAGED_DATA"
    status = grpc.StatusCode.DATA_LOSS


class InternalError(ShuangluError):
    """A fault of ours."""
