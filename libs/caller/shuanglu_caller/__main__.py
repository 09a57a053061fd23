"""`python -m shuanglu_caller LINK` takes part in a call with a file instead of camera and microphone."""

import argparse
import asyncio
import sys
from pathlib import Path

from shuanglu.session.v1.call_pb2 import CallState, CallView, Presence, ProofState
from shuanglu_caller.desk import CallDesk, Place, Seat
from shuanglu_caller.errors import CallerError
from shuanglu_caller.film import marked_film, read_film
from shuanglu_caller.participant import Manner, Participant
from shuanglu_caller.reels import Projector
from shuanglu_cli.errors import CliError
from shuanglu_cli.target import Target, find_target

EXIT_REFUSED = 5


def main() -> int:
    """Take part until the call ends, Ctrl-C, or the time is over; the exit code."""
    arguments = parser().parse_args()
    try:
        target = find_target(gateway=arguments.gateway or gateway_of(arguments.link), ca=arguments.ca)
        asyncio.run(take_part(arguments, target))
    except KeyboardInterrupt:
        return 0
    except (CallerError, CliError, OSError) as error:
        sys.stderr.write(f"✕ {error}\n")
        return EXIT_REFUSED
    return 0


def parser() -> argparse.ArgumentParser:
    """What may be said on the command line."""
    top = argparse.ArgumentParser(prog="python -m shuanglu_caller", description=__doc__)
    top.add_argument("link", help="link of an invitation, such as https://host/call#CODE or /call#CODE, or its code")
    top.add_argument(
        "--media", type=Path, help="MP4 with H.264 without B-frames; default: a flash and a beep each second"
    )
    top.add_argument("--gateway", help="default: the link's, SHUANGLU_GATEWAY, or the development stack here")
    top.add_argument("--ca", type=Path, help="PEM file with the authority to trust; default: SHUANGLU_CA, the stack's")
    top.add_argument("--seconds", type=float, default=float("inf"), help="leave after so long; default: never")
    top.add_argument("--once", action="store_true", help="leave when the file has ended; default: it repeats")
    top.add_argument("--relay", action="store_true", help="use the STUN and TURN servers that the call names")
    top.add_argument("--no-watch", action="store_true", help="send only")
    return top


def gateway_of(link: str) -> str | None:
    """The address in front of a link's path; None if it has none."""
    return link.partition("/call")[0] if link.startswith("http") else None


def code_of(link: str) -> str:
    """What stands behind the `#`; the whole text if there is none."""
    return link.rpartition("#")[2]


async def take_part(arguments: argparse.Namespace, target: Target) -> None:
    """Come in by the invitation, send, watch, and say what happens."""
    film = read_film(arguments.media) if arguments.media else marked_film()
    place = Place(target.need_gateway(), target.ca)
    async with CallDesk(place) as desk:
        seat: Seat = await desk.accept(code_of(arguments.link))
    projector = Projector(repeat=not arguments.once)
    manner = Manner(watches=not arguments.no_watch, ice_servers=arguments.relay)
    seconds = min(arguments.seconds, film.duration_s if arguments.once else float("inf"))
    async with Participant(place, seat, film, projector, manner) as participant:
        projector.begin()
        sys.stdout.write(f"in session {seat.session_id} as {seat.participant_id}\n")
        said = ""
        try:
            async with asyncio.timeout(None if seconds == float("inf") else seconds):
                while participant.call.state != CallState.CALL_STATE_ENDED:
                    words = summary(participant.call)
                    if words != said:
                        said = words
                        sys.stdout.write(words + "\n")
                        sys.stdout.flush()
                    revision = participant.call.revision
                    await participant.until(lambda view: view.revision > revision, timeout_s=3600)  # noqa: B023
        except TimeoutError:
            await participant.desk.leave(seat)


def summary(view: CallView) -> str:
    """One line: where the call stands, who is there, how much is safely stored."""
    there = ", ".join(
        f"{one.participant.participant_id} {Presence.Name(one.presence).removeprefix('PRESENCE_').lower()}"
        for one in view.participants
    )
    proof = ProofState.Name(view.recording.state).removeprefix("PROOF_STATE_").lower()
    state = CallState.Name(view.state).removeprefix("CALL_STATE_").lower()
    return f"{state}; {there}; recording {proof}; node {view.current_node_id or '-'}"


if __name__ == "__main__":
    sys.exit(main())
