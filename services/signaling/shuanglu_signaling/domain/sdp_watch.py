"""A watcher's offer and the media server's offer, made into answers to each other.

The media server offers to watchers and never answers them. Where both offers name the same payload types for the same
codecs, each side can be answered with what the other one said; where they do not, the watcher gets the media server's
offer as a counter-offer (WHEP draft) and answers it.
"""

from dataclasses import dataclass, replace

from shuanglu_signaling.domain.sdp import Description, Media, check_transport, parse, with_one_fingerprint
from shuanglu_signaling.domain.sdp_publish import h264_rank
from shuanglu_signaling.whip_errors import WrongSdp

# Lines that a section takes from the side that speaks in it.
TRANSPORT = ("a=ice-ufrag:", "a=ice-pwd:", "a=ice-options:", "a=fingerprint:", "a=candidate:", "a=end-of-candidates")
ROLES = {"actpass": ("passive", "active"), "active": ("passive", "active"), "passive": ("active", "passive")}
DIRECTION_LINES = ("a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive")
# Names of sections differ between the two offers, so they must not travel with packets.
UNSHARED = ("urn:ietf:params:rtp-hdrext:sdes:mid", "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id")


@dataclass(frozen=True, slots=True)
class Answers:
    """To both sides."""

    to_watcher: Description
    to_server: Description


def watch_offer(text: str) -> Description:
    """A watcher's offer. Raises WrongSdp."""
    offer = parse(text)
    check_transport(offer)
    if any(section.kind not in {"audio", "video"} for section in offer.media):
        raise WrongSdp("a watcher's offer carries audio and video only")
    if any(section.direction not in {"recvonly", "sendrecv"} for section in offer.media):
        raise WrongSdp("a watcher's media must be recvonly", missing="a=recvonly")
    if offer.value("setup", offer.media[0]) not in ROLES:
        raise WrongSdp("the DTLS role is missing or wrong", missing="a=setup")
    return with_one_fingerprint(offer)


def watch_answer(text: str) -> Description:
    """A watcher's answer to the media server's offer. Raises WrongSdp."""
    answer = parse(text)
    check_transport(answer)
    if answer.value("setup", answer.media[0]) not in {"active", "passive"}:
        raise WrongSdp("the DTLS role is missing or wrong", missing="a=setup")
    return with_one_fingerprint(answer)


def match(watcher: Description, server: Description) -> Answers | None:
    """Answers to both offers; None if they cannot be brought together."""
    to_server_role, to_watcher_role = _roles(watcher)
    pairs = _pairs(watcher, server)
    shared: dict[str, Media] = {}
    for mine, theirs in pairs:
        common = _shared(mine, theirs)
        if common is None:
            return None
        shared[theirs.mid] = common
    if not shared:
        return None
    partner = {mine.mid: theirs for mine, theirs in pairs}
    of_watcher = {theirs.mid: mine for mine, theirs in pairs}
    to_watcher = tuple(
        _answer(section, shared[partner[section.mid].mid], server, partner[section.mid], "sendonly", to_watcher_role)
        if section.mid in partner
        else _refused(section)
        for section in watcher.media
    )
    to_server = tuple(
        _answer(
            section, shared[section.mid], watcher, of_watcher[section.mid], "recvonly", to_server_role, with_ssrc=False
        )
        if section.mid in of_watcher
        else _refused(section)
        for section in server.media
    )
    return Answers(_whole(server, to_watcher), _whole(watcher, to_server))


def _roles(watcher: Description) -> tuple[str, str]:
    """DTLS roles for the answers to server and watcher: what the watcher is, and what the server is."""
    server_is, watcher_is = ROLES[watcher.value("setup", watcher.media[0])]
    return watcher_is, server_is


def _pairs(watcher: Description, server: Description) -> list[tuple[Media, Media]]:
    """Sections of one kind belong together, in order."""
    waiting = [section for section in server.media if section.port]
    pairs = []
    for mine in watcher.media:
        theirs = next((each for each in waiting if each.kind == mine.kind), None)
        if theirs is not None:
            waiting.remove(theirs)
            pairs.append((mine, theirs))
    return pairs


def _shared(mine: Media, theirs: Media) -> Media | None:
    """The server's section with what the watcher has as well; None if its codec is not among it."""
    own, other = mine.codecs(), theirs.codecs()
    kept = []
    for payload in theirs.formats:
        codec = other.get(payload)
        if codec is None or own.get(payload) != codec:
            continue
        if codec == "H264" and not _same_h264(mine, theirs, payload):
            continue
        if codec == "RTX" and mine.parameters(payload).get("apt") != theirs.parameters(payload).get("apt"):
            continue
        kept.append(payload)
    # What the publisher sends comes first and has one payload type.
    if not kept or kept[0] != theirs.formats[0]:
        return None
    known = set(mine.attributes)

    def wanted(line: str) -> bool:
        if line.startswith("a=extmap:"):
            return line[2:] in known and not line.endswith(UNSHARED)
        return line[2:] in known if line.startswith("a=rtcp-fb:") else True

    return theirs.with_payloads(kept).keep(wanted)


def _same_h264(mine: Media, theirs: Media, payload: str) -> bool:
    """Both in packetization mode 1; a watcher that decodes a higher profile decodes a lower one too."""
    own, other = h264_rank(mine, payload), h264_rank(theirs, payload)
    return own is not None and other is not None and own >= other - 2


def _answer(
    offered: Media,
    common: Media,
    speaker: Description,
    spoken: Media,
    direction: str,
    role: str,
    *,
    with_ssrc: bool = True,
) -> Media:
    """Answer to the section `offered`: codecs of `common`, transport of the speaker's section."""
    codecs = [line for line in common.lines if line.startswith(("a=rtpmap:", "a=fmtp:", "a=rtcp-fb:", "a=extmap:"))]
    sources = [line for line in common.lines if with_ssrc and line.startswith(("a=ssrc", "a=msid:"))]
    transport = [line for line in (*speaker.lines, *spoken.lines) if line.startswith(TRANSPORT)]
    lines = ["c=IN IP4 0.0.0.0", f"a={direction}", f"a=mid:{offered.mid}", "a=rtcp-mux", "a=rtcp-rsize"]
    return Media(
        offered.kind,
        9,
        offered.protocol,
        common.formats,
        (*lines, f"a=setup:{role}", *codecs, *sources, *transport),
    )


def _refused(section: Media) -> Media:
    """A section that the answer does not take (RFC 3264 §6)."""
    return replace(section, port=0, lines=("c=IN IP4 0.0.0.0", "a=inactive", f"a=mid:{section.mid}"))


def _whole(speaker: Description, sections: tuple[Media, ...]) -> Description:
    taken = " ".join(section.mid for section in sections if section.port)
    origin = next(line for line in speaker.lines if line.startswith("o="))
    lite = [line for line in speaker.lines if line == "a=ice-lite"]
    head = ("v=0", origin, "s=-", "t=0 0", f"a=group:BUNDLE {taken}", *lite)
    return Description(head, sections)
