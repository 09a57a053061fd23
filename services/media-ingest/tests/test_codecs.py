"""Names of RFC 6381 from sample entries made by hand, after the standards."""

import pytest

from shuanglu_media_ingest.domain import boxes, codecs


def init(entry: bytes) -> bytes:
    for kind in (b"stsd", b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        entry = boxes.box(kind, bytes(8) + entry if kind == b"stsd" else entry)
    return entry


def video(kind: bytes, config: bytes) -> bytes:
    return init(boxes.box(kind, bytes(78), config))


def audio(object_type: int, specific: bytes, *, long_sizes: bool = False) -> bytes:
    def descriptor(tag: int, body: bytes) -> bytes:
        size = b"\x80\x80\x80" + bytes([len(body)]) if long_sizes else bytes([len(body)])
        return bytes([tag]) + size + body

    config = descriptor(4, bytes([object_type]) + bytes(12) + (descriptor(5, specific) if specific else b""))
    return init(boxes.box(b"mp4a", bytes(28), boxes.box(b"esds", bytes(4), descriptor(3, bytes(3) + config))))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (video(b"avc1", boxes.box(b"avcC", bytes.fromhex("0142e01f"))), "avc1.42e01f"),
        (video(b"hvc1", boxes.box(b"hvcC", bytes.fromhex("01016000000090000000000078"))), "hvc1.1.6.L120.90"),
        (video(b"hev1", boxes.box(b"hvcC", bytes.fromhex("0142200000009000000000005d"))), "hev1.A2.4.L93.90"),
        (video(b"vp09", boxes.box(b"vpcC", bytes.fromhex("01000000021fa2"))), "vp09.02.31.10"),
        (video(b"av01", boxes.box(b"av1C", bytes.fromhex("81040c00"))), "av01.0.04M.08"),
        (video(b"av01", boxes.box(b"av1C", bytes.fromhex("8128c000"))), "av01.1.08H.10"),
        (audio(0x40, bytes.fromhex("1190")), "mp4a.40.2"),
        (audio(0x40, bytes.fromhex("2b92"), long_sizes=True), "mp4a.40.5"),
        (audio(0x40, bytes.fromhex("f946")), "mp4a.40.42"),
        (audio(0x40, b""), "mp4a.40.2"),
        (audio(0x6B, b""), "mp4a.40.34"),
        (init(boxes.box(b"Opus", bytes(28))), "opus"),
        (init(boxes.box(b"ac-3", bytes(28))), "ac-3"),
    ],
)
def test_a_codec_has_its_name(data: bytes, name: str):
    assert codecs.codec_string(data) == name


@pytest.mark.parametrize("data", [b"", init(b""), video(b"avc1", b"")])
def test_an_init_without_the_configuration_is_refused(data: bytes):
    with pytest.raises(boxes.BoxError):
        codecs.codec_string(data)
