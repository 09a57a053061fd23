"""What a caller sends is what the file has."""

from pathlib import Path

import av
import numpy as np
import pytest

from shuanglu_caller.errors import BadFilm
from shuanglu_caller.film import AUDIO_CLOCK, VIDEO_CLOCK, Film, marked_film, read_film

SAMPLE = Path(__file__).resolve().parents[3] / "samples" / "personal-loan" / "customer.mp4"


def decoded_pictures(film: Film) -> list[np.ndarray]:
    codec = av.CodecContext.create("h264", "r")
    frames = [frame for sample in film.video.samples for frame in codec.decode(av.Packet(sample.data))]
    return [frame.to_ndarray(format="gray") for frame in frames + codec.decode(None)]


def decoded_sound(film: Film) -> np.ndarray:
    codec = av.CodecContext.create("libopus", "r")
    codec.sample_rate, codec.layout, codec.format = AUDIO_CLOCK, "mono", "s16"
    frames = [frame for sample in film.audio.samples for frame in codec.decode(av.Packet(sample.data))]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def test_every_picture_of_the_sample_is_there_with_its_time_and_decodes_alone() -> None:
    film = read_film(SAMPLE)
    with av.open(str(SAMPLE)) as container:
        times = [round(float(p.pts * p.time_base) * VIDEO_CLOCK) for p in container.demux(video=0) if p.size]
    assert [sample.at for sample in film.video.samples] == times
    assert len(decoded_pictures(film)) == len(times)
    assert film.duration_s == pytest.approx(63.33, abs=0.1)


def test_sound_has_a_packet_for_each_20_ms_up_to_the_end() -> None:
    film = read_film(SAMPLE)
    steps = {later.at - sooner.at for sooner, later in zip(film.audio.samples, film.audio.samples[1:], strict=False)}
    assert steps == {960}
    assert film.audio.length / AUDIO_CLOCK == pytest.approx(63.33, abs=0.1)


def test_flashes_and_beeps_of_the_marked_film_begin_together() -> None:
    film = marked_film()
    bright = [picture.mean() > 128 for picture in decoded_pictures(film)]
    flash_s = [
        film.video.samples[n].at / VIDEO_CLOCK
        for n, is_bright in enumerate(bright)
        if is_bright and (n == 0 or not bright[n - 1])
    ]
    first_at_s = film.audio.samples[0].at / AUDIO_CLOCK
    loud = np.abs(decoded_sound(film).astype(int)) > 8000
    loud_s = np.flatnonzero(loud) / AUDIO_CLOCK + first_at_s
    beep_s = [loud_s[0], *loud_s[1:][np.diff(loud_s) > 0.1]]
    assert flash_s == [0, 1, 2, 3]
    # The first beep begins before the first packet; the others are where they should be.
    assert beep_s[1:] == pytest.approx([1, 2, 3], abs=0.005)


def test_a_position_in_a_reel_is_found_at_the_next_key_frame() -> None:
    reel = read_film(SAMPLE).video
    index = reel.first_from(10.2, key=True)
    assert reel.samples[index].key
    assert reel.samples[index].at / VIDEO_CLOCK == pytest.approx(11.0)
    assert reel.first_from(1e6, key=True) == len(reel.samples)


def test_a_file_without_h264_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "sound.mp4"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(BadFilm, match=r"no H\.264"):
        read_film(file)
