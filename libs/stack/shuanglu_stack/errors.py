"""What can go wrong while the stack starts: what happened, why, and what a person should do.

StackError
├── PortTaken
├── ComponentFailed
└── AlreadyRunning
"""

from pathlib import Path


class StackError(Exception):
    """The stack cannot run. `help` says what to do."""

    def __init__(self, message: str, help_text: str) -> None:
        super().__init__(message)
        self.help = help_text


class PortTaken(StackError):
    """Another program listens on a port that the stack was told to use."""

    def __init__(self, name: str, port: int) -> None:
        super().__init__(
            f"port {port} for {name} is taken",
            "stop the program that listens there, or start with --ports free",
        )


class ComponentFailed(StackError):
    """A component ended or did not become ready. The end of its log is in the message."""

    def __init__(self, name: str, why: str, log_file: Path) -> None:
        super().__init__(f"{name}: {why}\n{tail(log_file)}", f"read {log_file}")


class AlreadyRunning(StackError):
    """Another stack uses the same data folder."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(f"a stack is already running on {data_dir}", "stop it, or give another folder with --data")


def tail(log_file: Path, lines: int = 12) -> str:
    """The last lines of a log; empty if there is none."""
    if not log_file.exists():
        return ""
    return "\n".join(log_file.read_text(errors="replace").splitlines()[-lines:])
