"""What calls need from outside, beside the media plane (call_ports.py)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from shuanglu_signaling.domain.call import Call, Change
from shuanglu_signaling.domain.call_proof import Sight
from shuanglu_signaling.domain.session import Inspection, Participant

Transition = Callable[[Call], Change]


@dataclass(frozen=True, slots=True)
class Changed:
    """A call before and behind a change."""

    before: Call
    after: Call


class CallStore(Protocol):
    """Keeps calls. Raises DatabaseUnavailable."""

    async def add(self, tenant: str, call: Call) -> Call:
        """Store it, unless the session has one: then that one comes back."""
        ...

    async def get(self, tenant: str, session_id: str) -> Call | None:
        """None also for another tenant's."""
        ...

    async def by_code(self, code_hash: str) -> tuple[str, str] | None:
        """Tenant and session of an invitation's code."""
        ...

    async def change(self, tenant: str, session_id: str, transition: Transition) -> Changed | None:
        """Apply with nobody between reading and writing; None: no such call.

        In the same transaction: the events are published, the session's state follows, third persons become
        participants of the session, codes of new invitations are kept. Whoever watches the session is woken.
        """
        ...

    async def going_on(self) -> Sequence[tuple[str, Call]]:
        """All calls that have not ended, with their tenants."""
        ...


class Recorders(Protocol):
    """The recorders beside the media servers. `open` and `close` raise RecorderUnavailable."""

    async def open(
        self, node: str, tenant: str, session_id: str, people: Sequence[Participant], inspection: Inspection
    ) -> str:
        """Prepare a session, or add people to it; the prefix of its files' names."""
        ...

    async def close(self, node: str, tenant: str, call: Call) -> None:
        """Nothing more comes. Durable when it returns; may be repeated. Raises also RecordingGone."""
        ...

    def sight(self, node: str, tenant: str, session_id: str) -> Sight:
        """What the recorder last said of a session."""
        ...

    def now_us(self, node: str) -> int:
        """The recorder's clock, microseconds since the epoch; the own one if the recorder has never been heard."""
        ...


class Tokens(Protocol):
    """Makes participants' tokens."""

    def mint(self, tenant: str, session_id: str, participant: Participant, invitation_id: str, seat: int) -> str:
        """A token of one session for one participant. Raises TokensNotSetUp."""
        ...

    @property
    def ttl_us(self) -> int:
        """How long a token holds."""
        ...
