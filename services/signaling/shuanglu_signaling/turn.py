"""STUN and TURN servers with short-lived credentials: coturn's shared-secret form (`use-auth-secret`).

User name: `<expiry, seconds since the epoch>:<name>`; password: base64 of HMAC-SHA1 of it under the shared secret.
"""

import base64
import hmac
from collections.abc import Sequence

from shuanglu_common.clock import Clock
from shuanglu_signaling.domain.call_ports import IceServer

US = 1_000_000


class TurnServers:
    """The port `IceServers`."""

    def __init__(self, urls: Sequence[str], secret: str, ttl_s: int, clock: Clock) -> None:
        """`urls`: `stun:…` and `turn:…`; without a secret no TURN server is told of."""
        self.stun = tuple(url for url in urls if url.startswith(("stun:", "stuns:")))
        self.turn = tuple(url for url in urls if url.startswith(("turn:", "turns:"))) if secret else ()
        self.secret = secret
        self.ttl_s = ttl_s
        self.clock = clock

    def servers(self, name: str) -> Sequence[IceServer]:
        """Credentials end `ttl_s` from now; what was allocated by then goes on as long as it is refreshed before."""
        found = [IceServer(self.stun)] if self.stun else []
        if self.turn:
            username = f"{self.clock.now_us() // US + self.ttl_s}:{name}"
            found.append(IceServer(self.turn, username, credential(self.secret, username)))
        return tuple(found)


def credential(secret: str, username: str) -> str:
    """The password that the TURN server computes as well."""
    return base64.b64encode(hmac.digest(secret.encode(), username.encode(), "sha1")).decode()


def link_headers(servers: Sequence[IceServer]) -> list[str]:
    """`Link` values (RFC 9725 §4.6), one for each URL."""
    values = []
    for server in servers:
        for url in server.urls:
            value = f'<{url}>; rel="ice-server"'
            if server.username:
                value += f'; username="{server.username}"; credential="{server.credential}"; credential-type="password"'
            values.append(value)
    return values
