"""Descriptions as browsers and the media server make them, and as nobody should."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_common.errors import ShuangluError
from shuanglu_signaling.domain.sdp import Ice, parse
from shuanglu_signaling.domain.sdp_publish import publish_answer, publish_offer
from shuanglu_signaling.domain.sdp_watch import match, watch_answer, watch_offer
from shuanglu_signaling.domain.sdpfrag import fragment_of, parse_fragment
from shuanglu_signaling.whip_errors import H264Required, OpusRequired, WrongSdp

OFFERS = Path(__file__).parent / "offers"


def read(name: str) -> str:
    return (OFFERS / f"{name}.sdp").read_text()


PUBLISH, WATCH, JANUS = read("chromium-publish"), read("chromium-watch"), read("janus-watch")
# A watcher that happens to use the media server's own payload types.
FITTING = WATCH.replace("a=rtpmap:107 rtx", "a=rtpmap:50 rtx").replace("a=fmtp:107 ", "a=fmtp:50 ")
FITTING = FITTING.replace(" 107 108 109", " 50 107 108")
for old, new in (("108", "107"), ("109", "108")):
    for name in ("rtpmap", "fmtp", "rtcp-fb"):
        FITTING = FITTING.replace(f"a={name}:{old} ", f"a={name}:{new} ")
FITTING = FITTING.replace("a=fmtp:108 apt=108", "a=fmtp:108 apt=107")


@pytest.mark.parametrize("text", [PUBLISH, WATCH, JANUS, FITTING])
def test_what_is_read_is_written_again(text: str) -> None:
    assert parse(text).text().split() == text.split()


def test_the_media_server_sees_one_h264_with_its_retransmission_and_opus() -> None:
    audio, video = publish_offer(PUBLISH).media
    assert audio.codecs() == {"111": "OPUS"}
    assert video.codecs() == {"108": "H264", "109": "RTX"}
    assert video.parameters("108")["profile-level-id"] == "42e01f"
    assert not any("VP8" in line or "a=rid" in line or "rtp-stream-id" in line for line in video.lines)
    assert any(line == "a=rtcp-fb:108 nack pli" for line in video.lines)


@pytest.mark.parametrize(
    ("profiles", "chosen"),
    [(["42001f", "42e01f"], "42e01f"), (["640c1f", "4d001f"], "4d001f"), (["640c1f"], "640c1f")],
)
def test_the_profile_that_decodes_everywhere_is_chosen_first(profiles: list[str], chosen: str) -> None:
    text = PUBLISH
    for payload, was, profile in zip(("102", "108"), ("42001f", "42e01f"), (*profiles, "f4001f"), strict=False):
        text = text.replace(
            f"a=fmtp:{payload} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={was}",
            f"a=fmtp:{payload} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={profile}",
        )
    text = text.replace("profile-level-id=4d001f", "profile-level-id=f4001f") if "4d001f" not in profiles else text
    video = publish_offer(text).media[1]
    assert video.parameters(video.formats[0])["profile-level-id"] == chosen


def test_an_offer_without_h264_is_told_so() -> None:
    with pytest.raises(H264Required) as refused:
        publish_offer(PUBLISH.replace("H264/90000", "H265/90000"))
    assert "H.264" in refused.value.diagnostics()
    with pytest.raises(H264Required):
        publish_offer(PUBLISH.replace("packetization-mode=1", "packetization-mode=0"))


def test_an_offer_without_opus_is_told_so() -> None:
    with pytest.raises(OpusRequired):
        publish_offer(PUBLISH.replace("opus/48000/2", "vorbis/48000/2"))


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        (("a=ice-ufrag:", "a=x-ufrag:"), "ice-ufrag"),
        (("a=fingerprint:sha-256", "a=fingerprint:sha-1"), "a=fingerprint"),
        (("a=rtcp-mux", "a=x"), "a=rtcp-mux"),
        (("a=group:BUNDLE 0 1", "a=group:BUNDLE 0"), "BUNDLE"),
        (("a=mid:1", "a=mid:0"), "a=mid"),
        (("a=sendonly", "a=recvonly"), "a=sendonly"),
        (("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "SAVPF"),
        (("v=0", "v=1"), "v=0"),
    ],
)
def test_what_an_offer_lacks_is_named(change: tuple[str, str], missing: str) -> None:
    with pytest.raises(WrongSdp) as refused:
        publish_offer(PUBLISH.replace(*change))
    assert missing in refused.value.details.get("missing", "")


def test_a_second_picture_or_a_data_channel_is_refused() -> None:
    with pytest.raises(WrongSdp, match="one audio and one video"):
        publish_offer(PUBLISH.replace("m=audio", "m=application"))


def test_sound_is_answered_at_a_constant_rate_with_forward_correction() -> None:
    offer = publish_offer(PUBLISH)
    answer = publish_answer(PUBLISH.replace("a=sendonly", "a=recvonly"), offer)
    audio = answer.media[0]
    assert audio.parameters("111") | {"usedtx": "0", "cbr": "1", "useinbandfec": "1"} == audio.parameters("111")
    assert sum(line.startswith("a=fmtp:111") for line in audio.lines) == 1


def test_an_answer_promises_no_feedback_that_was_not_offered() -> None:
    offer = publish_offer(PUBLISH)
    answer = publish_answer(PUBLISH.replace("a=rtcp-fb:108 nack pli", "a=rtcp-fb:108 x-new"), offer)
    assert not any("x-new" in line for line in answer.media[1].lines)


def test_a_watcher_with_the_servers_payload_types_is_answered() -> None:
    offer, server = watch_offer(FITTING), parse(JANUS)
    answers = match(offer, server)
    assert answers is not None
    audio, video = answers.to_watcher.media
    assert (audio.formats, video.formats) == (("111",), ("107", "108"))
    assert answers.to_watcher.ice == server.ice
    assert "a=ice-lite" in answers.to_watcher.lines
    assert {video.direction, audio.direction} == {"sendonly"}
    assert video.value("setup") == "passive"
    assert answers.to_server.ice == offer.ice
    assert answers.to_server.media[0].value("setup") == "active"
    assert [section.mid for section in answers.to_server.media] == ["0", "1"]
    # Names of sections are each side's own.
    assert not any("sdes:mid" in line for line in (*audio.lines, *video.lines))


def test_a_browsers_own_payload_types_call_for_a_counter_offer() -> None:
    assert match(watch_offer(WATCH), parse(JANUS)) is None


def test_a_watcher_of_sound_alone_is_answered_and_the_picture_is_refused() -> None:
    sound = FITTING.partition("m=video")[0].replace("BUNDLE 0 1", "BUNDLE 0")
    answers = match(watch_offer(sound), parse(JANUS))
    assert answers is not None
    assert [section.port for section in answers.to_server.media] == [9, 0]
    assert len(answers.to_watcher.media) == 1


def test_an_answer_needs_a_dtls_role() -> None:
    assert watch_answer(WATCH.replace("a=setup:actpass", "a=setup:active")).media
    with pytest.raises(WrongSdp):
        watch_answer(WATCH)


def test_a_restart_keeps_all_but_the_ice_session() -> None:
    before = publish_offer(PUBLISH)
    after = before.with_ice(Ice("abcd", "p" * 24)).with_version(7)
    assert after.ice == Ice("abcd", "p" * 24)
    assert [section.formats for section in after.media] == [section.formats for section in before.media]
    assert after.lines[1].split(" ")[2] == "7"


def test_addresses_are_not_kept() -> None:
    assert "192.0.2.2 25945" in JANUS
    assert "25945" not in parse(JANUS).without_candidates().text()


FRAGMENT = """a=ice-ufrag:EsAw\r
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r
m=audio 9 RTP/AVP 0\r
a=mid:0\r
a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r
a=candidate:3471623853 1 udp 2122194687 6f3a-9b.local 61765 typ host generation 0\r
a=end-of-candidates\r
"""


def test_candidates_of_a_fragment_are_read() -> None:
    read_one = parse_fragment(FRAGMENT)
    assert read_one.ice == Ice("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")
    assert [mid for mid, _ in read_one.candidates] == ["0", "0"]
    assert read_one.ended


@pytest.mark.parametrize("change", [("udp", "sctp"), ("typ host", "typ x"), ("a=ice-pwd:", "a=x:"), ("61764", "port")])
def test_a_wrong_fragment_is_refused(change: tuple[str, str]) -> None:
    with pytest.raises(WrongSdp):
        parse_fragment(FRAGMENT.replace(*change))


def test_a_servers_fragment_is_one_itself() -> None:
    made = parse_fragment(fragment_of(parse(JANUS)))
    assert made.ice == parse(JANUS).ice
    assert len(made.candidates) == 1
    assert made.ended


LINES = st.lists(
    st.sampled_from(sorted({*PUBLISH.split("\n"), *JANUS.split("\n"), *FRAGMENT.split("\n")})), max_size=60
)
TEXTS = st.one_of(st.text(max_size=300), LINES.map("\n".join), LINES.map(lambda lines: "v=0\n" + "\n".join(lines)))


@given(TEXTS)
def test_whatever_comes_is_understood_or_refused(text: str) -> None:
    for read_it in (publish_offer, watch_offer, watch_answer, parse_fragment):
        # Anything else that is raised fails the test.
        with suppress(WrongSdp, H264Required, OpusRequired):
            assert read_it(text)


@given(st.integers(0, len(PUBLISH) - 1), st.characters(), st.sampled_from([PUBLISH, FITTING]))
def test_one_wrong_character_breaks_nothing(at: int, character: str, text: str) -> None:
    changed = text[:at] + character + text[at + 1 :]
    try:
        offer = publish_offer(changed)
    except ShuangluError:
        return
    assert publish_offer(offer.text()) == offer


@given(st.integers(0, len(FITTING) - 1), st.characters())
def test_whatever_a_watcher_offers_is_answered_in_its_own_sections(at: int, character: str) -> None:
    try:
        offer = watch_offer(FITTING[:at] + character + FITTING[at + 1 :])
    except ShuangluError:
        return
    answers = match(offer, parse(JANUS))
    if answers is not None:
        assert [section.mid for section in answers.to_watcher.media] == [section.mid for section in offer.media]
        assert [section.mid for section in answers.to_server.media] == ["0", "1"]
