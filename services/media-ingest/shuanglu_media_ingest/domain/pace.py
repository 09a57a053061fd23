"""How slow a sender may be: who drips holds a connection, a file and a lock for as long as it likes."""

from dataclasses import dataclass

WINDOW_S = 30.0


@dataclass(slots=True)
class Pace:
    """Measures a body while it comes, in windows of waiting for the sender; 0 bytes a second allows anything.

    What the receiver needs for itself, such as a slow disk, does not count.
    """

    least_bytes_per_s: int
    window_s: float = WINDOW_S
    waited_s: float = 0.0
    received: int = 0

    @property
    def patience_s(self) -> float:
        """Seconds to wait for the next bytes at most."""
        return self.window_s - self.waited_s

    def took(self, waited_s: float, received: int) -> bool:
        """Count bytes and the time they took; False if the sender is too slow."""
        self.waited_s += waited_s
        self.received += received
        if self.waited_s < self.window_s:
            return True
        fast_enough = self.received >= self.least_bytes_per_s * self.window_s
        self.waited_s, self.received = 0.0, 0
        return fast_enough
