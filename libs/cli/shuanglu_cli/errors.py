"""Errors that a person reads: what happened, why, what to do; and the exit code that a script reads.

CliError
├── Usage            the command was given something wrong
├── Refused          the service says no: the file, the order or the strategy is wrong
│   └── Busy         not now: a limit is reached
├── NoEntry          no token, or one that does not open this
├── Unreachable      the gateway or the bus does not answer
└── TookTooLong      --wait gave up; the work goes on
"""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the command says to scripts. libs/cli/README.md has the same table."""

    OK = 0
    ERROR = 1
    USAGE = 2
    VERDICT_FAIL = 3
    VERDICT_UNSURE = 4
    REFUSED = 5
    TIMEOUT = 6
    NO_ENTRY = 7
    AILING = 8


class CliError(Exception):
    """`reason` is stable and for programs; `why` and `help` are for people."""

    exit_code: ClassVar[ExitCode] = ExitCode.ERROR

    def __init__(self, what: str, why: str = "", help_text: str = "", reason: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.help = help_text
        self.reason = reason or type(self).__name__


class Usage(CliError):
    """The command was given something wrong."""

    exit_code = ExitCode.USAGE


class Refused(CliError):
    """The service says no, and would say so again."""

    exit_code = ExitCode.REFUSED


class Busy(Refused):
    """Not now: a limit is reached."""


class NoEntry(CliError):
    """No token, or one that does not open this."""

    exit_code = ExitCode.NO_ENTRY


class Unreachable(CliError):
    """The gateway or the bus does not answer."""


class TookTooLong(CliError):
    """Waiting was given up; the work goes on without us."""

    exit_code = ExitCode.TIMEOUT
