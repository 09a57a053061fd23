"""Services whose clock can be set while they run; the clock that only counts on is left alone."""

import os
from dataclasses import dataclass
from pathlib import Path

FALSE_CLOCK = Path(__file__).parent / "false_clock"


@dataclass(frozen=True, slots=True)
class SettableClock:
    """Ahead of or behind the machine's by what the file says."""

    file: Path

    @property
    def environment(self) -> dict[str, str]:
        """For the processes whose clock it is."""
        path = os.pathsep.join(filter(None, (str(FALSE_CLOCK), os.environ.get("PYTHONPATH"))))
        return {"PYTHONPATH": path, "FALSE_CLOCK": str(self.file)}

    def set(self, offset_s: int) -> None:
        """Seconds from the machine's clock, from now on."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(str(offset_s))
        fresh.replace(self.file)
