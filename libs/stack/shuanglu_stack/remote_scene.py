"""A call between two people without browsers: the sample's customer and agent meet, sign, and a report comes out."""

import asyncio
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from shuanglu.media.v1.track_pb2 import TimelineNode
from shuanglu.report.v1.report_service_pb2 import GetReportPdfRequest
from shuanglu.session.v1.call_pb2 import CallView, Presence
from shuanglu_caller.booking import book, people_of, seats_of
from shuanglu_caller.conduct import perform
from shuanglu_caller.desk import Place, Seat
from shuanglu_caller.film import Film, read_film
from shuanglu_caller.participant import Participant
from shuanglu_caller.reels import Projector
from shuanglu_cli.commands.import_ import follow
from shuanglu_cli.findings import print_report
from shuanglu_cli.recording import read_timeline
from shuanglu_cli.terminal import as_dict, verdict_exit_code
from shuanglu_stack.announcer import ConsoleAnnouncer
from shuanglu_stack.sampling import client_of, sample_recording
from shuanglu_stack.settings import StackSettings
from shuanglu_stack.stack import EmbeddedStack, StackOptions

SAMPLE = Path("samples/personal-loan")
WAIT_S = 600
COME_IN_S = 30
# Both films begin together, a moment after everybody is there.
LEAD_S = 0.5
MS = 1000


@dataclass(frozen=True, slots=True)
class Scene:
    """What is performed in a call: a film for each, and the agent's nodes."""

    films: dict[str, Film]
    timeline: Sequence[TimelineNode]

    @property
    def duration_s(self) -> float:
        """Until the longest film ends."""
        return max(film.duration_s for film in self.films.values())


@dataclass(frozen=True, slots=True)
class Held:
    """How a call went. `proven_s`: the least that was safely stored of any required track when it ended."""

    came_in_s: float
    lasted_s: float
    proven_s: float


def sample_scene(folder: Path) -> Scene:
    """Customer and agent of a sample. Raises BadFilm, CliError."""
    films = {who: read_film(folder / f"{who}.mp4") for who in ("customer", "agent")}
    return Scene(films, read_timeline(folder / "timeline.json"))


async def hold(place: Place, seats: dict[str, Seat], scene: Scene) -> Held:
    """Everybody comes in, the films run, the agent performs the nodes and ends the call. Raises CallerError."""
    started_s = time.monotonic()
    projector = Projector(repeat=False)
    async with (
        Participant(place, seats["customer"], scene.films["customer"], projector) as customer,
        Participant(place, seats["agent"], scene.films["agent"], projector) as agent,
    ):
        await asyncio.gather(customer.until(all_live, COME_IN_S), agent.until(all_live, COME_IN_S))
        came_in_s = time.monotonic() - started_s
        begin_s = asyncio.get_running_loop().time() + LEAD_S
        projector.begin(begin_s)
        await asyncio.gather(
            perform(agent, projector, scene.timeline),
            customer.sees("agent", COME_IN_S),
            agent.sees("customer", COME_IN_S),
        )
        await projector.until(scene.duration_s)
        stored_ms = agent.call.recording.stored_duration_ms
        await agent.desk.end(agent.seat.session_id)
        lasted_s = asyncio.get_running_loop().time() - begin_s
    return Held(came_in_s, lasted_s, stored_ms / MS)


def all_live(view: CallView) -> bool:
    """Everybody's media can flow."""
    return bool(view.participants) and all(one.presence == Presence.PRESENCE_LIVE for one in view.participants)


def run_remote(root: Path, out: Path, console: Console) -> int:
    """Start a stack of its own, hold the call, write its report; the verdict's exit code.

    Raises StackError, CliError, CallerError.
    """
    recording, scene = sample_recording(root / SAMPLE), sample_scene(root / SAMPLE)
    data_dir = root / ".data" / "demo-remote"
    shutil.rmtree(data_dir, ignore_errors=True)
    options = StackOptions(data_dir=data_dir, root=root, models_dir=StackSettings().models_dir)
    with EmbeddedStack(options, ConsoleAnnouncer(console)) as stack, client_of(stack) as client:
        gateway = client.gateway
        place = Place(stack.gateway_url, stack.ca)
        session_id = book(gateway, client.door, recording)
        console.print(f"\nholding a call of {scene.duration_s:.0f} s in session {session_id} …", highlight=False)
        held = asyncio.run(call_of(place, stack.token(), session_id, people_of(recording), scene))
        ended_s = time.monotonic()
        console.print(
            f"everybody was in after {held.came_in_s:.1f} s; {held.proven_s:.1f} s of {held.lasted_s:.1f} s were"
            " safely stored when the call ended",
            highlight=False,
        )
        report = follow(gateway, session_id, WAIT_S, visible=True)
        waited_s = time.monotonic() - ended_s
        pdf = gateway.call(gateway.reports.GetReportPdf, GetReportPdfRequest(session_id=session_id)).data
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(as_dict(report), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    (out / "report.pdf").write_bytes(pdf)
    console.print(f"the report came {waited_s:.1f} s after the end; wrote {out}/report.json, {out}/report.pdf")
    print_report(report, console)
    return int(verdict_exit_code(report.verdict))


async def call_of(place: Place, token: str, session_id: str, people: Sequence[str], scene: Scene) -> Held:
    """Invite, come in, hold the call."""
    return await hold(place, await seats_of(place, token, session_id, people), scene)
