"""A phone's picture that is to be shown turned is upright for models, reports and players."""

import io

import av
import numpy as np
import pytest
from file_judge import first_picture
from file_pack import TURNED, made
from ingest_media import segmented


@pytest.mark.parametrize("name", TURNED)
def test_a_turned_picture_is_upright_as_in_a_player(name: str):
    video = segmented(made(name))["video"]
    with av.open(io.BytesIO(video.track.init + video.pieces[0].data), format="mp4") as container:
        frame = next(container.decode(video=0))
    # As face-check and report turn it: by quarters, as the frame says.
    seen = np.rot90(frame.reformat(8, 8, "gray").to_ndarray(), round(frame.rotation / 90) % 4)
    assert np.array_equal(seen > 128, first_picture(made(name)) > 128)
    source = video.track.source
    assert source.derived == name.startswith("light_mpeg4")
    assert not (source.derived and frame.rotation)
    assert (source.width, source.height) == ((120, 160) if name[:-4].endswith(("_90", "_270")) else (160, 120))


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_the_four_turns_are_four_pictures(codec: str):
    pictures = {first_picture(made(f"light_{codec}_{degrees}.mov")).tobytes() for degrees in (0, 90, 180, 270)}
    assert len(pictures) == 4
