"""What the call desk, the WHIP and WHEP door and the media plane ask of each other.

`Seats` is kept by the call desk and used by the door and by whoever hears the media servers' events. `MediaPlane` is
kept by whoever drives the media servers and used by the call desk.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Seat:
    """What a participant may do with media, now.

    `connection` grows each time somebody publishes; events of an older connection are ignored. The media server records
    to `file_prefix` + `participant_id` + `~` + `connection`.
    """

    tenant: str
    session_id: str
    participant_id: str
    connection: int
    node: str
    file_prefix: str

    @property
    def file_name(self) -> str:
        """Name of the recording without what the media server appends."""
        return f"{self.file_prefix}{self.participant_id}~{self.connection}"


@dataclass(frozen=True, slots=True)
class Pass:
    """By what a participant's token came into being: claims `invitation_id` and `seat` (number of the acceptance)."""

    invitation_id: str
    seat: int


class Seats(Protocol):
    """Who may publish and watch, and who is there.

    The first two raise CallNotFound, CallEnded, ParticipantNotFound, NotJoined; SeatTaken and InvitationRevoked if the
    token that came is none that counts any more (`admission`: None for a token that no invitation made);
    DatabaseUnavailable, RecorderUnavailable. The others never raise: what cannot be written now is written later.
    """

    async def publisher(self, tenant: str, session_id: str, participant_id: str, admission: Pass | None = None) -> Seat:
        """A fresh connection. The room is open and the participant's older connections are ended when it returns."""
        ...

    async def watcher(
        self, tenant: str, session_id: str, participant_id: str, watched: str, admission: Pass | None = None
    ) -> Seat:
        """The watcher's own seat. `watched`: another participant of the call."""
        ...

    async def media_up(self, seat: Seat) -> None:
        """Media flows (ICE and DTLS are done)."""
        ...

    async def media_down(self, seat: Seat, reason: str) -> None:
        """The connection is over: hangup, detached, ICE failed. `reason` is a word for the log, no text of a person."""
        ...

    async def node_lost(self, node: str) -> None:
        """The media server was restarted or cannot be reached: everybody on it must publish anew."""
        ...


class MediaPlane(Protocol):
    """The media servers. All calls may be repeated; a room's name is the session's id.

    All but `place` and `drop` raise RecorderUnavailable if the node does not answer in time.
    """

    def place(self) -> str:
        """Name of the node for a new call (placement.py).

        Raises RecorderUnavailable if none is well, MediaNodesDraining if all that are well are to be taken away.
        """
        ...

    async def open_room(self, node: str, tenant: str, session_id: str) -> None:
        """There is a room when it returns."""
        ...

    async def close_room(self, node: str, tenant: str, session_id: str) -> None:
        """There is none when it returns, and no connection of it."""
        ...

    async def drop(
        self, node: str, tenant: str, session_id: str, participant_id: str, older_than: int | None = None
    ) -> None:
        """End the participant's connections; only those before `older_than`, if given. Best effort: raises nothing."""
        ...


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server (RFC 8489, RFC 8656); user name and credential are empty for STUN."""

    urls: tuple[str, ...]
    username: str = ""
    credential: str = ""


class IceServers(Protocol):
    """Knows the STUN and TURN servers."""

    def servers(self, name: str) -> Sequence[IceServer]:
        """With credentials that hold for a short time; `name` tells users apart in the TURN server's log."""
        ...
