"""Who hears that a component is ready, or that something happened."""

from typing import Protocol

from rich.console import Console


class Announcer(Protocol):
    """Told from several threads."""

    def ready(self, name: str, seconds: float, detail: str) -> None:
        """A component is ready after this many seconds."""

    def say(self, text: str) -> None:
        """Something that a person should know."""


class Silent:
    """For tests: the logs of the components tell enough."""

    def ready(self, name: str, seconds: float, detail: str) -> None:
        """Nobody listens."""

    def say(self, text: str) -> None:
        """Nobody listens."""


class ConsoleAnnouncer:
    """A line per component."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def ready(self, name: str, seconds: float, detail: str) -> None:
        """`✓ nats  0.3 s  nats://…`."""
        self._console.print(f"[green]✓[/] {name:<14}[dim]{seconds:5.1f} s  {detail}[/]", highlight=False)

    def say(self, text: str) -> None:
        """One line with a mark."""
        self._console.print(f"[yellow]![/] {text}", highlight=False)
