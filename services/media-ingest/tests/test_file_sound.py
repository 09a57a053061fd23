"""Several audio streams and telephone recordings with a speaker on each channel."""

import io
from pathlib import Path

import av
import pytest
from file_judge import beeps_of
from file_pack import FLASHES, made
from ingest_media import segmented
from test_file_pack import near

from shuanglu_media_ingest.domain.sound import AudioChoice
from shuanglu_media_ingest.errors import AudioSelectionInvalid

# In `two_languages.mkv` the second stream beeps 0.5 s after the first.
SECOND = tuple(at + 0.5 for at in FLASHES)
BOTH = tuple(sorted((*FLASHES, *SECOND)))


def test_without_a_choice_all_sound_is_kept_as_it_is():
    tracks = segmented(made("two_languages.mkv"))
    assert list(tracks) == ["video", "audio", "audio-2"]
    assert not any(result.track.source.derived for result in tracks.values())
    assert near(beeps_of(tracks["audio"].data), FLASHES)
    assert near(beeps_of(tracks["audio-2"].data), SECOND)


@pytest.mark.parametrize("choice", [AudioChoice(stream=2), AudioChoice(language="en")])
def test_a_chosen_stream_is_carried_and_the_other_left_out(choice: AudioChoice):
    tracks = segmented(made("two_languages.mkv"), audio=choice)
    assert list(tracks) == ["video", "audio"]
    assert not tracks["audio"].track.source.derived
    assert near(beeps_of(tracks["audio"].data), SECOND)


def test_a_mix_holds_the_sound_of_all_streams_at_its_time_and_is_derived():
    tracks = segmented(made("two_languages.mkv"), audio=AudioChoice(mixed=True))
    assert list(tracks) == ["video", "audio"]
    assert tracks["audio"].track.source.derived
    assert not tracks["video"].track.source.derived
    assert near(beeps_of(tracks["audio"].data), BOTH)
    assert (tracks["audio"].track.start_ms, tracks["audio"].gaps) == (0, [])


def test_a_mix_of_unlike_streams_keeps_their_distance():
    """48 kHz AAC from the start, and 8 kHz mono that begins two seconds later."""
    audio = segmented(made("unlike_streams.mkv"), audio=AudioChoice(mixed=True))["audio"]
    assert audio.track.sample_rate == 48_000
    assert near(beeps_of(audio.data), sorted((*FLASHES, *(at + 2 for at in FLASHES))))
    assert audio.track.end_ms == pytest.approx(8000, abs=50)


def test_a_mix_has_a_hole_where_no_stream_has_sound():
    audio = segmented(made("holes_in_two_streams.mkv"), audio=AudioChoice(mixed=True))["audio"]
    ((start_ms, end_ms),) = [(gap.start_ms, gap.end_ms) for gap in audio.gaps]
    assert (start_ms, end_ms) == (pytest.approx(3000, abs=60), pytest.approx(7000, abs=60))
    assert near(beeps_of(audio.data), (1.0, 2.2, 7.6, 9.2))


def test_each_channel_of_a_telephone_recording_becomes_its_speakers_own_track():
    tracks = segmented(made("agent_left_customer_right.wav"), audio=AudioChoice(speakers=(0, 1)))
    assert list(tracks) == ["audio", "audio-2"]
    assert near(beeps_of(tracks["audio"].data), FLASHES)
    assert near(beeps_of(tracks["audio-2"].data), SECOND)
    for result in tracks.values():
        assert result.track.source.derived
        with av.open(io.BytesIO(result.data), format="mp4") as container:
            assert container.streams.audio[0].codec_context.layout.nb_channels == 1
        assert (result.track.start_ms, result.track.end_ms, result.gaps) == (0, 6000, [])


def test_channels_of_a_stream_that_could_be_carried_are_split_too():
    tracks = segmented(made("agent_left_customer_right.m4a"), audio=AudioChoice(speakers=(1, 0)))
    assert near(beeps_of(tracks["audio"].data), FLASHES)
    assert near(beeps_of(tracks["audio-2"].data), SECOND)


def test_speakers_for_channels_that_are_not_there_are_refused():
    with pytest.raises(AudioSelectionInvalid):
        segmented(made("telephone_a_law.wav"), audio=AudioChoice(speakers=(0, 1)))


@pytest.mark.parametrize("audio", [AudioChoice(mixed=True), AudioChoice(speakers=(0, 1))])
def test_the_same_choice_gives_the_same_bytes(audio: AudioChoice, tmp_path: Path):
    name = "two_languages.mkv" if audio.mixed else "agent_left_customer_right.wav"
    first, second = (segmented(made(name), audio=audio)["audio"].data for _ in range(2))
    assert first == second
