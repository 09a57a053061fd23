"""What a publisher may offer, and what it is answered: H.264 in packetization mode 1 and Opus, one stream of each.

The media server is shown only what was chosen here, so its answer holds nothing else and answers the offer as it came.
"""

from dataclasses import replace

from shuanglu_signaling.domain.sdp import Description, Media, check_transport, parse, with_one_fingerprint
from shuanglu_signaling.whip_errors import H264Required, OpusRequired, WrongSdp

KINDS = ("audio", "video")
# Profiles in the order of what decodes everywhere: constrained baseline, baseline, main, high (RFC 6184 §8.1).
PROFILES = ("42e0", "42c0", "4200", "42", "4d", "64")
# Several encodings at once, and the header extensions that tell them apart.
SIMULCAST = ("a=rid:", "a=simulcast:", "a=ssrc-group:SIM")
STREAM_IDS = ("sdes:rtp-stream-id", "sdes:repaired-rtp-stream-id")
# Sound at a constant rate and without pauses fills the recorder's buffer steadily: a crash then loses less than a
# second. FEC repairs single lost packets.
OPUS = {"minptime": "10", "useinbandfec": "1", "usedtx": "0", "cbr": "1", "maxaveragebitrate": "40000"}


def publish_offer(text: str) -> Description:
    """A publisher's offer as the media server shall see it. Raises WrongSdp, H264Required, OpusRequired."""
    offer = parse(text)
    check_transport(offer)
    kinds = [section.kind for section in offer.media]
    if any(kind not in KINDS for kind in kinds) or len(set(kinds)) != len(kinds):
        raise WrongSdp("an offer carries one audio and one video section at most")
    if any(section.direction not in {"sendonly", "sendrecv"} for section in offer.media):
        raise WrongSdp("a publisher's media must be sendonly or sendrecv", missing="a=sendonly")
    sections = tuple(_video(each) if each.kind == "video" else _audio(each) for each in offer.media)
    return with_one_fingerprint(replace(offer, media=sections))


def publish_answer(text: str, offer: Description) -> Description:
    """The media server's answer as the publisher shall see it. `offer`: what `publish_offer` gave."""
    answer = parse(text)
    offered = {section.mid: section for section in offer.media}
    sections = []
    for section in answer.media:
        mine = offered.get(section.mid, section)
        section = _as_offered(section, mine)  # noqa: PLW2901 - the rest speaks of the cleaned one
        opus = next((number for number, codec in section.codecs().items() if codec == "OPUS"), None)
        h264 = next((number for number, codec in section.codecs().items() if codec == "H264"), None)
        if opus is not None:
            sections.append(with_parameters(section, opus, section.parameters(opus) | OPUS))
        elif h264 is not None:
            wanted = {"level-asymmetry-allowed": "1", "packetization-mode": "1"}
            profile = mine.parameters(h264).get("profile-level-id", "42e01f")
            sections.append(with_parameters(section, h264, wanted | {"profile-level-id": profile}))
        else:
            sections.append(section)
    return replace(answer, media=tuple(sections))


def _as_offered(section: Media, offered: Media) -> Media:
    """RFC 4585 §4.2: an answer holds no feedback that was not offered; Janus adds some."""
    return section.keep(lambda line: not line.startswith("a=rtcp-fb:") or line in offered.lines)


def with_parameters(section: Media, payload: str, parameters: dict[str, str]) -> Media:
    """The parameters of one payload type replaced; they stand behind its `rtpmap`."""
    line = f"a=fmtp:{payload} " + ";".join(f"{key}={value}" for key, value in parameters.items())
    bare = section.keep(lambda each: not each.startswith(f"a=fmtp:{payload} "))
    place = next((at for at, each in enumerate(bare.lines) if each.startswith(f"a=rtpmap:{payload} ")), -1)
    return replace(bare, lines=(*bare.lines[: place + 1], line, *bare.lines[place + 1 :]))


def _audio(section: Media) -> Media:
    opus = [number for number, codec in section.codecs().items() if codec == "OPUS"]
    if not opus:
        raise OpusRequired("the offer has no Opus")
    return section.with_payloads(opus[:1])


def _video(section: Media) -> Media:
    rank = {number: h264_rank(section, number) for number in section.formats}
    usable = [number for number in section.formats if rank[number] is not None]
    if not usable:
        raise H264Required("the offer has no H.264 in packetization mode 1")
    best = min(usable, key=lambda number: rank[number] or 0)
    plain = section.keep(lambda line: not line.startswith(SIMULCAST) and not line.endswith(STREAM_IDS))
    return plain.with_payloads([best, *retransmissions(section, best)])


def h264_rank(section: Media, payload: str) -> int | None:
    """How welcome a payload type is, 0 is best; None for what is no H.264 that can be recorded."""
    if section.codecs().get(payload) != "H264":
        return None
    parameters = section.parameters(payload)
    if parameters.get("packetization-mode", "0") != "1":
        return None
    # RFC 6184 §8.1: no profile means baseline.
    profile = parameters.get("profile-level-id", "42000a").lower()
    return next((rank for rank, prefix in enumerate(PROFILES) if profile.startswith(prefix)), None)


def retransmissions(section: Media, payload: str) -> list[str]:
    """Payload types that carry what was lost of `payload` (RFC 4588)."""
    codecs = section.codecs()
    return [
        number
        for number in section.formats
        if codecs.get(number) == "RTX" and section.parameters(number).get("apt") == payload
    ]
