from fractions import Fraction

from shuanglu_media_ingest.domain.survey import MAX_GROUP_BYTES, Medium, Stream, Survey


def video(codec: str = "h264", seconds: int = 4, key_every: int = 25, size: int = 100) -> Stream:
    stream = Stream(0, Medium.VIDEO, codec, Fraction(1, 25), width=320, height=240)
    for number in range(seconds * 25):
        stream.add(number, 1, size, key=number % key_every == 0, hidden=False)
    return stream


def audio(rate: int = 48_000, codec: str = "aac") -> Stream:
    return Stream(1, Medium.AUDIO, codec, Fraction(1, rate), sample_rate=rate)


def test_known_codecs_with_key_frames_are_carried():
    assert video().carried
    assert not video(codec="vp8").carried


def test_key_frames_that_are_far_apart_need_a_working_copy():
    assert video(seconds=10, key_every=1000).carried
    assert not video(seconds=11, key_every=1000).carried


def test_a_group_of_pictures_too_large_for_memory_needs_a_working_copy():
    assert not video(size=MAX_GROUP_BYTES // 25 + 1).carried


def test_pictures_hidden_by_an_edit_list_need_a_working_copy():
    stream = video()
    stream.add(200, 1, 10, key=False, hidden=True)
    assert not stream.carried


def test_packets_without_a_time_need_a_working_copy():
    stream = video()
    stream.add(None, 1, 10, key=False, hidden=False)
    assert not stream.carried
    assert stream.usable


def test_pictures_before_the_first_key_frame_do_not_count():
    stream = Stream(0, Medium.VIDEO, "h264", Fraction(1, 25))
    stream.add(0, 1, 10, key=False, hidden=False)
    assert not stream.usable
    stream.add(1, 1, 10, key=True, hidden=False)
    assert list(stream.present_at) == [1]


def test_hidden_sound_does_not_count():
    stream = audio()
    stream.add(-1024, 1024, 10, key=True, hidden=True)
    stream.add(0, 1024, 10, key=True, hidden=False)
    assert list(stream.present_at) == [0]
    assert stream.carried


def test_a_container_that_promises_much_more_than_it_holds_is_found_out():
    pictures = video(seconds=4)
    assert Survey("mp4", (pictures,)).promised_end_s(pictures) is None
    pictures.promised_end = 25 * 4 + 20
    assert Survey("mp4", (pictures,)).promised_end_s(pictures) is None
    pictures.promised_end = 25 * 9
    survey = Survey("mp4", (pictures,))
    assert survey.promised_end_s(pictures) == 9
    assert survey.end_ms(0) == 9000


def test_a_promise_for_the_whole_file_holds_for_each_stream():
    pictures = video(seconds=4)
    assert Survey("matroska", (pictures,), promised_s=Fraction(6)).promised_end_s(pictures) == 6


def test_a_file_begins_with_what_is_presented_first():
    pictures, sound = video(), audio()
    sound.start_at = 0
    sound.add(-312, 960, 1, key=True, hidden=False)
    assert Survey("matroska", (pictures, sound)).origin == 0
    sound.start_at = None
    assert Survey("matroska", (pictures, sound)).origin == Fraction(-312, 48_000)


def test_a_file_ends_with_what_ends_last():
    pictures, sound = video(seconds=4), audio()
    sound.add(48_000 * 5, 1024, 1, key=True, hidden=False)
    sound.start_at = 0
    assert Survey("mp4", (pictures,)).end_ms(1000) == 5000
    assert Survey("mp4", (pictures, sound)).end_ms(0) == 5021


def test_timescales_follow_the_medium():
    assert video().timescale(carried=True) == 90_000
    assert audio(44_100).timescale(carried=True) == 44_100
    assert audio(7000).timescale(carried=False) == 8000
    assert audio(96_000).timescale(carried=False) == 48_000


def test_a_files_clock_uses_its_origin():
    survey = Survey("mpegts", (video(),))
    assert survey.clock(survey.streams[0], 1000, carried=True).ticks(0) == 90_000


def test_the_usual_duration_is_never_nothing():
    assert video().usual_duration == 1
    assert audio().usual_duration == 1
