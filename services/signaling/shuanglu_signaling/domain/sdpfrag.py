"""Fragments of session descriptions that carry ICE candidates (RFC 8840), as PATCH bodies of WHIP and WHEP."""

import re
from dataclasses import dataclass

from shuanglu_signaling.domain.sdp import LINE, MAX_LINE, Description, Ice
from shuanglu_signaling.whip_errors import WrongSdp

MAX_CANDIDATES = 100
# RFC 8839 §5.1: foundation, component, transport, priority, address, port, `typ`, …
CANDIDATE = re.compile(
    r"candidate:[A-Za-z0-9+/]{1,32} [12] (?i:udp|tcp) \d{1,10} [0-9A-Za-z.:_-]{1,255} \d{1,5} typ "
    r"(host|srflx|prflx|relay)( [\x21-\x7e]+)*"
)


@dataclass(frozen=True, slots=True)
class Fragment:
    """Candidates with the mid they belong to; `ended` if no more will come."""

    ice: Ice
    candidates: tuple[tuple[str, str], ...]
    ended: bool


def parse_fragment(text: str) -> Fragment:
    """Raises WrongSdp for what is no fragment, or one without user fragment and password."""
    lines = text.replace("\r\n", "\n").strip("\n").split("\n")
    ufrag = password = mid = ""
    candidates: list[tuple[str, str]] = []
    ended = False
    for line in lines:
        if len(line) > MAX_LINE or not LINE.fullmatch(line):
            raise WrongSdp("a line of the fragment is no <letter>=<value>")
        name, _, value = line.removeprefix("a=").partition(":")
        if not line.startswith("a="):
            mid = mid if not line.startswith("m=") else ""
        elif name == "ice-ufrag":
            ufrag = value
        elif name == "ice-pwd":
            password = value
        elif name == "mid":
            mid = value
        elif name == "candidate":
            candidates.append((mid, _checked(line[2:])))
        elif name == "end-of-candidates":
            ended = True
    if len(candidates) > MAX_CANDIDATES:
        raise WrongSdp("the fragment has too many candidates")
    return Fragment(Ice(ufrag, password).check(), tuple(candidates), ended)


def _checked(candidate: str) -> str:
    if not CANDIDATE.fullmatch(candidate):
        raise WrongSdp("a candidate is wrong", missing="a=candidate")
    return candidate


def fragment_of(description: Description) -> str:
    """ICE session and candidates of a description: of its first section, which all are bundled with."""
    first = description.media[0]
    ice = description.ice
    own = [text for mid, text in description.candidates if mid == first.mid]
    lines = [
        *(["a=ice-lite"] if "a=ice-lite" in description.lines else []),
        f"a=ice-ufrag:{ice.ufrag}",
        f"a=ice-pwd:{ice.password}",
        f"m={first.kind} 9 {first.protocol} 0",
        f"a=mid:{first.mid}",
        *(f"a={text}" for text in own),
        "a=end-of-candidates",
    ]
    return "\r\n".join(lines) + "\r\n"
