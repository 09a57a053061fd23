from dataclasses import asdict
from fractions import Fraction

import pytest

from shuanglu_media_ingest.domain.sound import AudioChoice, Part, parts, track_ids
from shuanglu_media_ingest.domain.survey import Medium, Stream, Survey
from shuanglu_media_ingest.errors import AudioSelectionInvalid

PICTURE = Stream(0, Medium.VIDEO, "h264", Fraction(1, 25))
CHINESE = Stream(1, Medium.AUDIO, "aac", Fraction(1, 48_000), channels=2, language="chi")
ENGLISH = Stream(2, Medium.AUDIO, "aac", Fraction(1, 48_000), channels=1, language="eng")
FILE = Survey("mp4", (PICTURE, CHINESE, ENGLISH))


@pytest.mark.parametrize("choice", [None, AudioChoice()])
def test_every_stream_becomes_a_track_if_nothing_is_chosen(choice: AudioChoice | None):
    assert parts(FILE, choice) == (Part((PICTURE,)), Part((CHINESE,)), Part((ENGLISH,)))


def test_one_stream_is_chosen_by_its_number():
    assert parts(FILE, AudioChoice(stream=2)) == (Part((PICTURE,)), Part((ENGLISH,)))


@pytest.mark.parametrize("language", ["zho", "chi", "zh-CN", "CMN"])
def test_one_stream_is_chosen_by_its_language_however_it_is_called(language: str):
    assert parts(FILE, AudioChoice(language=language)) == (Part((PICTURE,)), Part((CHINESE,)))


def test_all_sound_is_mixed():
    assert parts(FILE, AudioChoice(mixed=True)) == (Part((PICTURE,)), Part((CHINESE, ENGLISH)))


def test_channels_become_their_speakers_tracks():
    found = parts(FILE, AudioChoice(speakers=(1, 0)))
    assert found == (Part((PICTURE,)), Part((CHINESE,), 1, 1), Part((CHINESE,), 2, 0))
    names = track_ids([(("customer", "agent"), found)])
    assert names == [["shared-video", "agent-audio", "customer-audio"]]


@pytest.mark.parametrize(
    "choice",
    [
        AudioChoice(stream=3),
        AudioChoice(stream=-1),
        AudioChoice(language="fra"),
        AudioChoice(speakers=(0,)),
        AudioChoice(speakers=(0, 1, 0)),
    ],
)
def test_sound_that_the_file_does_not_have_is_refused(choice: AudioChoice):
    with pytest.raises(AudioSelectionInvalid) as refused:
        parts(FILE, choice)
    assert refused.value.help


def test_nothing_can_be_chosen_where_there_is_no_sound():
    with pytest.raises(AudioSelectionInvalid):
        parts(Survey("mp4", (PICTURE,)), AudioChoice(mixed=True))


@pytest.mark.parametrize("choice", [None, AudioChoice(stream=1), AudioChoice(speakers=(1, 0))])
def test_a_choice_survives_being_kept(choice: AudioChoice | None):
    assert AudioChoice.from_json(asdict(choice) if choice else None) == choice


def test_tracks_are_named_by_role_and_shared_ones_so():
    pair, both = [Part((PICTURE,)), Part((CHINESE,))], [Part((PICTURE,)), Part((CHINESE,)), Part((ENGLISH,))]
    names = track_ids(
        [(["customer"], pair), (["co_signer"], pair), (["customer", "agent"], both), (["customer"], pair)]
    )
    assert names == [
        ["customer-video", "customer-audio"],
        ["co-signer-video", "co-signer-audio"],
        ["shared-video", "shared-audio", "shared-audio-2"],
        ["customer-video-2", "customer-audio-2"],
    ]
