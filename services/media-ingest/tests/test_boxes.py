import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuanglu_media_ingest.domain import boxes
from shuanglu_media_ingest.domain.boxes import Box, BoxError, Sample

KINDS = st.binary(min_size=4, max_size=4)
BOXES = st.lists(st.builds(Box, KINDS, st.binary(max_size=200)), max_size=8)


@given(BOXES)
def test_splitting_undoes_encoding(given_boxes: list[Box]):
    assert list(boxes.split(b"".join(each.encoded() for each in given_boxes))) == given_boxes


@given(BOXES.filter(bool), st.data())
def test_a_cut_off_sequence_is_refused_unless_cut_between_boxes(given_boxes: list[Box], data: st.DataObject):
    whole = b"".join(each.encoded() for each in given_boxes)
    ends = [0]
    for each in given_boxes:
        ends.append(ends[-1] + len(each.payload) + boxes.HEADER)
    cut = data.draw(st.integers(0, len(whole)).filter(lambda at: at not in ends))
    with pytest.raises(BoxError):
        list(boxes.split(whole[:cut]))


@given(st.binary(max_size=300))
def test_any_bytes_are_boxes_that_encode_back_or_are_refused(data: bytes):
    try:
        found = list(boxes.split(data))
    except BoxError:
        return
    assert sum(len(each.payload) for each in found) <= len(data)


def test_a_64_bit_size_is_understood():
    data = (1).to_bytes(4, "big") + b"mdat" + (20).to_bytes(8, "big") + b"abcd"
    assert list(boxes.split(data)) == [Box(b"mdat", b"abcd")]


def test_a_size_of_zero_is_refused():
    with pytest.raises(BoxError):
        list(boxes.split(bytes(4) + b"mdat" + b"abcd"))


def test_a_path_finds_the_first_box():
    inner = boxes.box(b"mdia", boxes.box(b"mdhd", b"x"))
    data = boxes.box(b"moov", boxes.box(b"trak", inner), boxes.box(b"trak", b""))
    assert boxes.find(data, b"moov", b"trak", b"mdia", b"mdhd") == b"x"
    assert boxes.find(data, b"moov", b"mvex") is None


def test_the_muxers_signature_is_dropped_at_any_depth():
    data = boxes.box(
        b"moov", boxes.box(b"trak", boxes.box(b"udta", b"Lavf"), boxes.box(b"tkhd", b"t")), boxes.box(b"udta")
    )
    init = boxes.cmaf_init(boxes.box(b"ftyp", b"isom") + data)
    assert b"udta" not in init
    assert b"cmfc" in init
    assert boxes.find(init, b"moov", b"trak", b"tkhd") == b"t"


def test_an_init_without_moov_is_refused():
    with pytest.raises(BoxError, match="ftyp and moov"):
        boxes.cmaf_init(boxes.box(b"ftyp", b"isom"))


SAMPLES = st.lists(
    st.tuples(st.binary(min_size=1, max_size=50), st.integers(1, 5000), st.integers(0, 9000), st.booleans()),
    min_size=1,
    max_size=20,
)


def samples_of(rows: list[tuple[bytes, int, int, bool]], start: int) -> list[Sample]:
    at, found = start, []
    for data, duration, shift, key in rows:
        found.append(Sample(data, at, at + shift, duration, key))
        at += duration
    return found


@given(SAMPLES, st.integers(0, 2**40), st.integers(1, 10_000))
def test_a_fragment_says_where_every_sample_lies(rows: list[tuple[bytes, int, int, bool]], start: int, number: int):
    samples = samples_of(rows, start)
    fragment = boxes.fragment(number, samples)
    moof, mdat = boxes.split(fragment)
    assert (moof.kind, mdat.kind) == (b"moof", b"mdat")
    assert mdat.payload == b"".join(sample.data for sample in samples)
    assert boxes.tfdt_of(fragment) == start
    trun = boxes.find(fragment, b"moof", b"traf", b"trun")
    assert trun is not None
    numbers = [int.from_bytes(trun[at : at + 4], "big") for at in range(0, len(trun), 4)]
    flags, count, data_offset, *fields = numbers
    assert count == len(samples)
    assert fragment[data_offset:] == mdat.payload
    width = len(fields) // count
    assert [row[0] for row in zip(*[iter(fields)] * width, strict=True)] == [sample.duration for sample in samples]
    assert bool(flags & 0x800) == any(sample.present_at != sample.decode_at for sample in samples)


def test_a_fragment_without_samples_is_refused():
    with pytest.raises(BoxError):
        boxes.fragment(1, [])


def test_a_segment_without_tfdt_is_refused():
    with pytest.raises(BoxError):
        boxes.tfdt_of(boxes.box(b"moof", b""))
