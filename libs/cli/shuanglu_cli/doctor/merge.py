"""Several streams, each ordered by session, become one stream of cases. Memory holds one session at a time."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from shuanglu_cli.doctor.case import Case, Held, Part, Stored
from shuanglu_cli.errors import CliError

Item = Held | Stored


class OutOfOrder(CliError):
    """A stream is not ordered as its contract says; what comes after cannot be joined."""


def session_of(item: Item) -> str:
    """The session that an item belongs to; for an object the second part of its key."""
    return item.session_id if isinstance(item, Held) else item.key.split("/", 2)[1]


class Stream:
    """One part's items, read one ahead. A stream that breaks ends, and says so."""

    def __init__(self, part: Part, items: Iterable[Item], broken: Callable[[Part, CliError], None]) -> None:
        self._part = part
        self._items = iter(items)
        self._broken = broken
        self.head: Item | None = None
        self.place = ""
        self.advance()

    def advance(self) -> None:
        """To the next item; `head` is None at the end."""
        try:
            self.head = next(self._items, None)
            if self.head is None:
                return
            before, self.place = self.place, session_of(self.head) + "/"
            if self.place < before:
                raise OutOfOrder(f"{self._part} told of {self.place} after {before}")
        except CliError as error:
            self.head = None
            self._broken(self._part, error)

    def take(self, place: str) -> Iterator[Item]:
        """Everything of one session."""
        while self.head is not None and self.place == place:
            yield self.head
            self.advance()


def cases(parts: Mapping[Part, Iterable[Item]], broken: Callable[[Part, CliError], None]) -> Iterator[Case]:
    """A case for each session that any part knows. `broken` is told of a part before the first case that lacks it."""
    streams = [Stream(part, items, broken) for part, items in parts.items()]
    while places := [stream.place for stream in streams if stream.head is not None]:
        place = min(places)
        case = Case(place.removesuffix("/"))
        for stream in streams:
            for item in stream.take(place):
                if isinstance(item, Held):
                    case.held.append(item)
                else:
                    case.stored.append(item)
        yield case
