"""Which sound counts, in the words of people: what they may say, and what is told them before anything is sent."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu.common.v1.types_pb2 import Channel, Participant, ParticipantRole
from shuanglu.media.v1.import_service_pb2 import AudioChannels, AudioSelection
from shuanglu.session.v1.session_pb2 import Order
from shuanglu_cli.audio import read_audio, require_speakers
from shuanglu_cli.digests import recording_key
from shuanglu_cli.errors import Usage
from shuanglu_cli.recording import Recording, participants_of
from shuanglu_cli.sending import request_of

CUSTOMER = ParticipantRole.PARTICIPANT_ROLE_CUSTOMER
AGENT = ParticipantRole.PARTICIPANT_ROLE_AGENT
TELEPHONE = AudioSelection(
    channels=AudioChannels(
        speakers=[
            Participant(participant_id="agent", role=AGENT),
            Participant(participant_id="customer", role=CUSTOMER),
        ]
    )
)


@pytest.mark.parametrize(
    ("text", "audio"),
    [
        ("mixed", AudioSelection(mixed=True)),
        (" Mixed ", AudioSelection(mixed=True)),
        ("stream=2", AudioSelection(stream=2)),
        ("STREAM = 16", AudioSelection(stream=16)),
        ("language=zho", AudioSelection(language="zho")),
        ("language=EN", AudioSelection(language="en")),
        ("channels=AGENT,CUSTOMER", TELEPHONE),
        ("channels=agent + customer", TELEPHONE),
    ],
)
def test_sound_is_chosen_in_plain_words(text: str, audio: AudioSelection) -> None:
    assert read_audio(text) == audio


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "does not say which sound counts"),
        ("2", "does not say which sound counts"),
        ("mixed=yes", "does not say which sound counts"),
        ("stream", "does not say which sound counts"),
        ("stream=0", "counted from 1 to 16"),
        ("stream=17", "counted from 1 to 16"),
        ("stream=-1", "counted from 1 to 16"),
        ("stream=２", "counted from 1 to 16"),
        ("stream=" + "9" * 5000, "counted from 1 to 16"),
        ("stream=1,language=zho", "counted from 1 to 16"),
        ("language=", "not a code of ISO 639"),
        ("language=Chinese", "not a code of ISO 639"),
        ("language=中文", "not a code of ISO 639"),
        ("channels=", " is not a role"),
        ("channels=AGENT,", " is not a role"),
        ("channels=LEFT,RIGHT", "LEFT is not a role"),
        ("channels=AGENT,AGENT", "AGENT has more than one channel"),
    ],
)
def test_words_that_choose_no_sound_are_refused(text: str, told: str) -> None:
    with pytest.raises(Usage, match=told) as refused:
        read_audio(text)
    assert refused.value.reason in {"BAD_AUDIO", "BAD_ROLE"}


@given(st.text(max_size=40) | st.tuples(st.sampled_from(["stream=", "language=", "channels="]), st.text()).map("".join))
def test_whatever_is_said_it_chooses_one_way_or_is_refused(text: str) -> None:
    with suppress(Usage):
        assert read_audio(text).WhichOneof("selection")


def test_whoever_has_a_channel_is_in_the_file() -> None:
    call, agent = (Path("call.wav"), (CUSTOMER, AGENT)), (Path("agent.wav"), (AGENT,))
    require_speakers(TELEPHONE, [call])
    require_speakers(AudioSelection(mixed=True), [call, agent])
    require_speakers(None, [agent])
    with pytest.raises(Usage, match=r"CUSTOMER has a channel but is not in agent\.wav"):
        require_speakers(TELEPHONE, [call, agent])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "call.wav"
    path.write_bytes(b"sound")
    return path


def recording(file: Path, audio: AudioSelection | None) -> Recording:
    return Recording(((file, (CUSTOMER, AGENT)),), Order(order_no="A-1"), Channel.CHANNEL_IMPORT, audio=audio)


def test_the_request_says_for_each_file_which_sound_counts(file: Path) -> None:
    (sent,) = request_of(recording(file, TELEPHONE), "s-1", ["u-1"]).files
    assert sent.audio == TELEPHONE
    # The service takes a speaker only as the file's people name him.
    assert list(sent.participants) == participants_of((CUSTOMER, AGENT))
    assert all(speaker in list(sent.participants) for speaker in sent.audio.channels.speakers)


def test_a_request_that_chooses_nothing_leaves_all_sound(file: Path) -> None:
    (sent,) = request_of(recording(file, None), "s-1", ["u-1"]).files
    assert not sent.HasField("audio")


def test_another_choice_of_sound_is_another_recording(file: Path) -> None:
    choices = [None, TELEPHONE, *map(read_audio, ("mixed", "stream=1", "stream=2", "channels=CUSTOMER,AGENT"))]
    keys = [recording_key(recording(file, audio)) for audio in choices]
    assert len(set(keys)) == len(choices)
    assert keys[1] == recording_key(recording(file, read_audio("channels=agent+customer")))
