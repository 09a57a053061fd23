"""A participant: comes in, publishes, watches the others, and comes back when a connection is lost.

What a page in a browser does, in the same order and by the same doors.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from shuanglu.session.v1.call_pb2 import CallState, CallView, IceServer, Presence
from shuanglu_caller.desk import CallDesk, Place, Seat
from shuanglu_caller.errors import CallerError, DoorRefused
from shuanglu_caller.film import Film
from shuanglu_caller.reels import Projector
from shuanglu_caller.whip import HTTP_TIMEOUT_S, Connection, Publication, View

OVER = {CallState.CALL_STATE_ENDING, CallState.CALL_STATE_ENDED}
RETRY_S = 0.5
LOOK_EVERY_S = 0.02
KEEP_ALIVE_S = 120.0


@dataclass(slots=True)
class Manner:
    """How a participant behaves. `decoded`: pictures of each other participant that are decoded before they pass by."""

    watches: bool = True
    decoded: float = 2
    ice_servers: bool = False  # On one machine relays only make it slower to come in.
    reconnects: bool = True


@dataclass(slots=True)
class _Watched:
    connection: int
    view: View


class Participant:
    """One participant of one call; an async context manager. Leaving ends its connections, not the call."""

    def __init__(
        self, place: Place, seat: Seat, film: Film, projector: Projector, manner: Manner | None = None
    ) -> None:
        self.seat = seat
        self.manner = manner or Manner()
        self.call = CallView()
        self.publication: Publication | None = None
        self.published_times = 0
        self.errors: list[str] = []
        self.desk = CallDesk(place, seat.token)
        self._film, self._projector = film, projector
        trust = ssl.create_default_context(cafile=str(place.ca) if place.ca else None)
        self._http = httpx.AsyncClient(
            base_url=place.gateway,
            verify=trust,
            timeout=HTTP_TIMEOUT_S,
            headers={"authorization": f"Bearer {seat.token}"},
            limits=httpx.Limits(keepalive_expiry=KEEP_ALIVE_S),
        )
        self._publish_path = self._watch_path = ""
        self._ice_servers: list[IceServer] = []
        self._connection = 0
        self._watched: dict[str, _Watched] = {}
        self._changed = asyncio.Condition()
        self._again = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        try:
            await self._come_in()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        connections: list[Connection] = [one.view for one in self._watched.values()]
        connections += [self.publication] if self.publication else []
        # aiortc ends with CancelledError where an earlier end of the same connection was broken off.
        await asyncio.gather(*(connection.close() for connection in connections), return_exceptions=True)
        await self._http.aclose()
        await self.desk.__aexit__(None, None, None)

    # What tests, the demo and benchmarks ask for.

    async def prepare(self) -> None:
        """Open the connections to the gateway, as a page that was loaded has. Before entering; may be left out."""
        await asyncio.gather(self.desk.ready(), self._http.get("/", headers={"authorization": ""}))

    async def until(self, condition: Callable[[CallView], bool], timeout_s: float = 30) -> CallView:
        """The first view of the call that meets it. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: condition(self.call))
        return self.call

    async def sees(self, participant_id: str, timeout_s: float = 30) -> None:
        """Wait until that participant's picture moves. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            # Looked at again and again: a connection that is made anew has another view.
            while not ((one := self._watched.get(participant_id)) and one.view.moving.is_set()):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_EVERY_S)

    def view_of(self, participant_id: str) -> View | None:
        """The connection that brings that participant's media."""
        one = self._watched.get(participant_id)
        return one.view if one else None

    async def mute(self, kind: str, *, muted: bool) -> None:
        """Switch sound or picture off or on, and say so."""
        if self.publication is not None:
            self.publication.tracks[kind].muted = muted
        await self.desk.mute(self.seat, kind, muted=muted)

    async def drop(self) -> None:
        """Lose the own connection without a word; it is made anew if the manner says so."""
        if self.publication is not None:
            await self.publication.vanish()
            self.publication = None
        self._again.set()

    # The work.

    async def _come_in(self) -> None:
        await self._join()
        self._tasks.append(asyncio.ensure_future(self._follow()))
        if self.manner.watches:
            # Who is there already is seen while the own media finds its way.
            await asyncio.gather(self._publish(), self._tried(self._others_media))
        else:
            await self._publish()
        self._tasks.append(asyncio.ensure_future(self._keep_connected()))

    async def _join(self) -> None:
        answer = await self.desk.join(self.seat)
        self._publish_path, self._watch_path = answer.publish_path, answer.watch_path
        self._ice_servers = list(answer.ice_servers) if self.manner.ice_servers else []
        await self._take(answer.call)

    async def _publish(self) -> None:
        publication = Publication(self._http, self._publish_path, self._film, self._projector, self._ice_servers)
        if self.publication is not None:
            for kind, track in self.publication.tracks.items():
                publication.tracks[kind].muted = track.muted
            await self.publication.vanish()
        self.publication = publication
        await publication.negotiate()
        publication.on_gone = self._again.set
        self.published_times += 1
        # What the door made of it; a higher number later on asks for another one.
        self._connection = self._connection_in(await self.desk.look(self.seat.session_id))

    async def _take(self, view: CallView) -> None:
        async with self._changed:
            self.call = view
            self._changed.notify_all()
        self._again.set()

    async def _follow(self) -> None:
        """What is new of the call, for as long as it lasts."""
        while self.call.state != CallState.CALL_STATE_ENDED:
            with self._noting():
                async with contextlib.aclosing(self.desk.watch(self.seat.session_id)) as views:
                    async for view in views:
                        await self._take(view)
            await asyncio.sleep(RETRY_S)

    async def _keep_connected(self) -> None:
        while self.call.state not in OVER:
            await self._again.wait()
            self._again.clear()
            steps: list[Callable[[], Awaitable[None]]] = [self._own_media]
            if self.manner.watches:
                steps.append(self._others_media)
            done = await asyncio.gather(*(self._tried(step) for step in steps))
            if not all(done):
                await asyncio.sleep(RETRY_S)
                self._again.set()

    async def _tried(self, step: Callable[[], Awaitable[None]]) -> bool:
        with self._noting():
            await step()
            return True
        return False

    async def _own_media(self) -> None:
        lost = self.publication is None or self.publication.gone
        wanted_anew = self._connection_in(self.call) > self._connection
        if self.call.state in OVER or not self.manner.reconnects or not (lost or wanted_anew):
            return
        try:
            await self._publish()
        except DoorRefused:
            # Away for too long: the seat is taken again by joining.
            await self._join()
            await self._publish()

    def _connection_in(self, view: CallView) -> int:
        own = (one for one in view.participants if one.participant.participant_id == self.seat.participant_id)
        return max((one.connection for one in own), default=0)

    async def _others_media(self) -> None:
        there = {
            one.participant.participant_id: one.connection
            for one in self.call.participants
            if one.presence == Presence.PRESENCE_LIVE and one.participant.participant_id != self.seat.participant_id
        }
        for participant_id in set(self._watched) - set(there):
            await self._watched.pop(participant_id).view.close()
        await asyncio.gather(*(self._watch(who, connection) for who, connection in there.items()))

    async def _watch(self, participant_id: str, connection: int) -> None:
        before = self._watched.get(participant_id)
        if before is not None and before.connection == connection and not before.view.gone:
            return
        if before is not None:
            await self._watched.pop(participant_id).view.close()
        path = self._watch_path.replace("{participant_id}", participant_id)
        view = View(self._http, path, self._ice_servers, self.manner.decoded)
        await view.negotiate()
        view.on_gone = self._again.set
        async with self._changed:
            self._watched[participant_id] = _Watched(connection, view)
            self._changed.notify_all()

    @contextlib.contextmanager
    def _noting(self) -> Any:
        try:
            yield
        except CallerError as error:
            self.errors.append(str(error))
