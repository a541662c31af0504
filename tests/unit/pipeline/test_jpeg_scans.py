"""JPEGs that go over their pixels again and again are told by their headers, without decoding."""

import io
import os
import struct

import numpy as np
import pytest
from PIL import Image

from facegan.core.records import Reason
from pipeline import headers
from pipeline.headers import MOST_SCANS, ImageInfo, ImageLimits, inspect, scans_of
from pipeline.images import decode

SCAN = b"\xff\xda"
LIMITS = ImageLimits()


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def bits(text):
    text += "1" * (-len(text) % 8)
    data = bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))
    return data.replace(b"\xff", b"\xff\0")


def many_scans(side, scans):
    """A grey progressive JPEG whose every scan but the first says of all blocks: nothing new."""
    blocks = (-(-side // 8)) ** 2
    runs, rest = divmod(blocks, 32767)
    nothing = bits(("0" + "1" * 14) * (runs + bool(rest)))
    again = segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + nothing
    return b"".join(
        (
            b"\xff\xd8" + segment(0xDB, b"\0" + bytes([1] * 64)),
            segment(0xC2, bytes([8]) + struct.pack(">HHB", side, side, 1) + bytes([1, 0x11, 0])),
            segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\0"),
            segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\xe0"),
            segment(0xDA, bytes([1, 1, 0, 0, 0, 0])) + bits("0" * blocks),
            again * (scans - 1) + b"\xff\xd9",
        )
    )


def photograph(**options):
    pixels = np.random.default_rng(5).integers(0, 256, (240, 320, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize("scans", [1, 2, MOST_SCANS, MOST_SCANS + 1, 1000])
def test_scans_are_counted_and_judged_at_the_limit(scans):
    data = many_scans(64, scans)
    assert scans_of(data) == (scans, False)
    found = inspect(data, LIMITS)
    if scans <= MOST_SCANS:
        assert found == ImageInfo("jpeg", 64, 64)
        assert decode(data, LIMITS).shape == (64, 64, 3)
    else:
        told = f"jpeg: {scans} scans, at most 100"
        assert found == headers.Rejection(Reason.DECODE_FAILED, told)
        assert decode(data, LIMITS) == found


def test_a_hundred_megapixels_of_a_thousand_scans_are_not_unpacked(monkeypatch):
    data = many_scans(9992, 1000)
    assert len(data) < 400_000
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("unpacked"))
    assert decode(data, LIMITS).reason is Reason.DECODE_FAILED


@pytest.mark.parametrize(("options", "scans"), [({}, 1), ({"progressive": True}, 10)])
def test_ordinary_pictures_have_few(options, scans):
    assert scans_of(photograph(**options)) == (scans, False)


def test_what_only_looks_like_a_scan_is_none():
    """Metadata, and what cameras append, such as a film."""
    data = photograph()
    noted = data[:2] + segment(0xE5, SCAN * 500) + data[2:] + SCAN * 500
    assert scans_of(noted) == (1, False)
    assert isinstance(inspect(noted, LIMITS), ImageInfo)


@pytest.mark.parametrize("hiding", [b"\xff\x01", b"\xff\xd0", b"\xff\xd8", b"\xff\xff\xff"])
def test_scans_cannot_be_hidden_behind_markers_without_a_length(hiding):
    data = many_scans(64, 300)
    first = data.index(SCAN)
    hidden = data[:first] + data[first:].replace(SCAN, hiding + SCAN)
    assert inspect(hidden, LIMITS).reason is Reason.DECODE_FAILED


def test_a_file_of_markers_alone_is_not_counted_to_its_end(monkeypatch):
    data = photograph()
    end = data.rindex(b"\xff\xd9")
    crowded = data[:end] + b"\xff\xfe\0\2" * 100_000 + SCAN * 200 + data[end:]
    looked = []

    class Counting:
        def search(self, given, at):
            looked.append(at)
            return marker.search(given, at)

    marker = headers._MARKER
    monkeypatch.setattr(headers, "_MARKER", Counting())
    assert inspect(crowded, LIMITS).detail == "jpeg: 1 scans or more, at most 100"
    assert len(looked) == headers.MOST_SEGMENTS


def test_noise_is_counted_without_an_error():
    for length in range(60):
        scans_of(b"\xff\xd8" + SCAN * (length % 3) + os.urandom(length))
