"""Session descriptions (RFC 8866), as far as a call needs them: read, checked and written again line by line.

What is not understood is kept as it came, so that no feature of a browser is lost on the way.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Self

from shuanglu_signaling.whip_errors import WrongSdp

MAX_LINES = 2000
MAX_LINE = 2048
# `o=` user, id, version, network, kind of address, address (RFC 8866 §5.2).
ORIGIN_FIELDS = 6
LINE = re.compile(r"[a-z]=[^\x00-\x08\x0a-\x1f\x7f]*")
MEDIA = re.compile(r"m=([a-z]+) (\d{1,5})(?:/\d+)? ([A-Z/]+) ([0-9A-Za-z-]+(?: [0-9A-Za-z-]+)*) *")
PROTOCOLS = ("UDP/TLS/RTP/SAVPF", "TCP/TLS/RTP/SAVPF")
# RFC 8839 §5.4: 4 to 256 and 22 to 256 characters of base64.
UFRAG = re.compile(r"[A-Za-z0-9+/=_-]{4,256}")
PASSWORD = re.compile(r"[A-Za-z0-9+/=_-]{22,256}")
FINGERPRINT = re.compile(r"a=fingerprint:(?i:sha-256) [0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31}")
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


@dataclass(frozen=True, slots=True)
class Ice:
    """User fragment and password of one side's ICE session (RFC 8445)."""

    ufrag: str
    password: str

    def check(self) -> Self:
        """Itself. Raises WrongSdp if they are missing or hold what they must not."""
        if not UFRAG.fullmatch(self.ufrag) or not PASSWORD.fullmatch(self.password):
            raise WrongSdp("ice-ufrag and ice-pwd are missing or wrong", missing="ice-ufrag, ice-pwd")
        return self


@dataclass(frozen=True, slots=True)
class Media:
    """One `m=` section: its first line taken apart, the others as they are."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def attributes(self) -> list[str]:
        """What stands behind `a=`."""
        return [line[2:] for line in self.lines if line.startswith("a=")]

    def value(self, name: str) -> str:
        """Value of the first attribute of that name; empty if there is none."""
        return next((text.partition(":")[2] for text in self.attributes if text.partition(":")[0] == name), "")

    @property
    def mid(self) -> str:
        """Name of the section (RFC 5888)."""
        return self.value("mid")

    @property
    def direction(self) -> str:
        """RFC 8866 §6.7: sendrecv if nothing is said."""
        return next((text for text in self.attributes if text in DIRECTIONS), "sendrecv")

    def codecs(self) -> dict[str, str]:
        """Name of the codec in capitals, without rate, by payload type."""
        maps = (text[len("rtpmap:") :] for text in self.attributes if text.startswith("rtpmap:"))
        pairs = (text.partition(" ") for text in maps)
        return {number: name.partition("/")[0].upper() for number, _, name in pairs if number in self.formats}

    def parameters(self, payload: str) -> dict[str, str]:
        """Parameters (`fmtp`) of a payload type."""
        prefix = f"fmtp:{payload} "
        found = next((text[len(prefix) :] for text in self.attributes if text.startswith(prefix)), "")
        pairs = (part.strip().partition("=") for part in found.split(";") if part.strip())
        return {key.strip().lower(): value.strip() for key, _, value in pairs}

    def keep(self, wanted: Callable[[str], bool]) -> Self:
        """Only the lines that are wanted."""
        return replace(self, lines=tuple(line for line in self.lines if wanted(line)))

    def with_payloads(self, payloads: Iterable[str]) -> Self:
        """Only these payload types, in this order; whatever speaks of others goes."""
        kept = tuple(payloads)

        def wanted(line: str) -> bool:
            name, _, rest = line.removeprefix("a=").partition(":")
            return name not in {"rtpmap", "fmtp", "rtcp-fb"} or rest.split(" ")[0] in {*kept, "*"}

        return replace(self.keep(wanted), formats=kept)


@dataclass(frozen=True, slots=True)
class Description:
    """A whole description."""

    lines: tuple[str, ...]
    media: tuple[Media, ...]

    def value(self, name: str, section: Media) -> str:
        """Value of an attribute of a section, or of the whole description if the section does not say."""
        own = section.value(name)
        if own:
            return own
        prefix = f"a={name}:"
        return next((line[len(prefix) :] for line in self.lines if line.startswith(prefix)), "")

    @property
    def ice(self) -> Ice:
        """Of the first section: all are bundled with it. Raises WrongSdp."""
        if not self.media:
            raise WrongSdp("the description has no media", missing="m=")
        first = self.media[0]
        return Ice(self.value("ice-ufrag", first), self.value("ice-pwd", first)).check()

    @property
    def candidates(self) -> list[tuple[str, str]]:
        """Mid and candidate, for every candidate."""
        return [
            (section.mid, text)
            for section in self.media
            for text in section.attributes
            if text.startswith("candidate:")
        ]

    def with_ice(self, ice: Ice) -> Self:
        """Of another ICE session, with no candidates (RFC 8839 §4.4.1.1.1: a restart keeps all else)."""

        def renew(line: str) -> str:
            if line.startswith("a=ice-ufrag:"):
                return f"a=ice-ufrag:{ice.ufrag}"
            return f"a=ice-pwd:{ice.password}" if line.startswith("a=ice-pwd:") else line

        bare = self.without_candidates()
        media = tuple(replace(section, lines=tuple(map(renew, section.lines))) for section in bare.media)
        return replace(bare, lines=tuple(map(renew, bare.lines)), media=media)

    def without_candidates(self) -> Self:
        """Addresses of the other side are nothing to keep."""
        media = tuple(
            section.keep(lambda line: not line.startswith(("a=candidate:", "a=end-of-candidates")))
            for section in self.media
        )
        return replace(self, media=media)

    def with_version(self, version: int) -> Self:
        """Another version of the same session (RFC 8866 §5.2)."""

        def renew(line: str) -> str:
            if not line.startswith("o="):
                return line
            parts = line.split(" ")
            return " ".join([*parts[:2], str(version), *parts[3:]])

        return replace(self, lines=tuple(map(renew, self.lines)))

    def text(self) -> str:
        """As it is sent."""
        sections = (
            line
            for section in self.media
            for line in (
                f"m={section.kind} {section.port} {section.protocol} {' '.join(section.formats)}",
                *section.lines,
            )
        )
        return "\r\n".join([*self.lines, *sections]) + "\r\n"


def parse(text: str) -> Description:
    """Raises WrongSdp for what is no session description."""
    lines = text.replace("\r\n", "\n").strip("\n").split("\n")
    if len(lines) > MAX_LINES:
        raise WrongSdp("the description is too long")
    if lines[0] != "v=0":
        raise WrongSdp("the description does not begin with v=0", missing="v=0")
    for line in lines:
        if len(line) > MAX_LINE or not LINE.fullmatch(line):
            raise WrongSdp("a line of the description is no <letter>=<value>")
    head: list[str] = []
    media: list[Media] = []
    for line in lines:
        if line.startswith("m="):
            media.append(_media(line))
        elif media:
            media[-1] = replace(media[-1], lines=(*media[-1].lines, line))
        else:
            head.append(line)
    origin = next((line for line in head if line.startswith("o=")), "")
    if len(origin.split(" ")) != ORIGIN_FIELDS:
        raise WrongSdp("the description has no origin", missing="o=")
    return Description(tuple(head), tuple(media))


def _media(line: str) -> Media:
    found = MEDIA.fullmatch(line)
    if not found:
        raise WrongSdp("an m= line is wrong", missing="m=")
    kind, port, protocol, formats = found.groups()
    return Media(kind, int(port), protocol, tuple(formats.split(" ")), ())


def check_transport(description: Description) -> None:
    """What a WebRTC peer must say (RFC 9725 §4.4): one bundled DTLS-SRTP transport. Raises WrongSdp."""
    sections = description.media
    if not sections:
        raise WrongSdp("the description has no media", missing="m=")
    mids = [section.mid for section in sections]
    if not all(mids) or len(set(mids)) != len(mids):
        raise WrongSdp("every section needs a mid of its own", missing="a=mid")
    bundles = [line.split(" ")[1:] for line in description.lines if line.startswith("a=group:BUNDLE")]
    if len(sections) > 1 and (not bundles or not set(mids) <= set(bundles[0])):
        raise WrongSdp("all media must be bundled", missing="a=group:BUNDLE")
    for section in sections:
        if section.protocol not in PROTOCOLS:
            raise WrongSdp("media must be UDP/TLS/RTP/SAVPF", missing=PROTOCOLS[0])
        if "rtcp-mux" not in section.attributes:
            raise WrongSdp("RTCP must be multiplexed", missing="a=rtcp-mux")
    lines = (*description.lines, *sections[0].lines)
    if not any(FINGERPRINT.fullmatch(line) for line in lines):
        raise WrongSdp("the DTLS fingerprint (SHA-256) is missing or wrong", missing="a=fingerprint:sha-256")
    _ = description.ice


def with_one_fingerprint(description: Description) -> Description:
    """Without hashes that the media server does not compute: it would compare the last one with its own."""

    def wanted(line: str) -> bool:
        return not line.startswith("a=fingerprint:") or bool(FINGERPRINT.fullmatch(line))

    media = tuple(section.keep(wanted) for section in description.media)
    return replace(description, lines=tuple(filter(wanted, description.lines)), media=media)
