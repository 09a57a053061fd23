"""A recording as a player gets it: each track's bytes, by its HLS playlist."""

import time

import httpx

from shuanglu.report.v1.report_service_pb2 import CreateReplayRequest
from shuanglu_cli.errors import Refused
from shuanglu_stack.sampling import Client

STORED_TIMEOUT_S = 60.0


def tracks_of(client: Client, session_id: str) -> dict[str, bytes]:
    """Init and all segments of each track, in one piece; waits until the recording is complete. Raises CliError."""
    path = playlist_path(client, session_id)
    token = path.split("/")[2]
    with httpx.Client(
        base_url=client.target.need_gateway(), verify=httpx.create_ssl_context(str(client.target.ca)), timeout=60
    ) as web:
        master = web.get(path).raise_for_status().text
        names = {part.split("/")[0] for part in master.replace('"', "\n").split("tracks/")[1:]}
        return {name: whole(web, f"/hls/{token}/tracks/{name}") for name in sorted(names)}


def playlist_path(client: Client, session_id: str) -> str:
    """Where the replay begins."""
    deadline = time.monotonic() + STORED_TIMEOUT_S
    while True:
        try:
            request = CreateReplayRequest(session_id=session_id)
            return str(client.gateway.call(client.gateway.reports.CreateReplay, request).playlist_path)
        except Refused as error:
            if error.reason != "RECORDING_NOT_STORED" or time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def whole(web: httpx.Client, folder: str) -> bytes:
    """One track."""
    lines = web.get(f"{folder}/playlist.m3u8").raise_for_status().text.splitlines()
    # A gap is named and has no bytes (RFC 8216bis, EXT-X-GAP).
    parts = ["init.mp4", *(line for line in lines if line and not line.startswith(("#", "gap-")))]
    return b"".join(web.get(f"{folder}/{part}").raise_for_status().content for part in parts)
