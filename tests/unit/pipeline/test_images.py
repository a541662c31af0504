import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, features

import pipeline.images as images
from facegan.core.records import Reason
from pipeline.images import (
    ImageInfo,
    ImageLimits,
    Rejection,
    decode,
    encode_png,
    inspect,
    read,
)

LIMITS = ImageLimits()
FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"] + ["AVIF"] * features.check("avif")


def corners(width=64, height=48):
    """Red, green / blue, white quarters: every orientation looks different."""
    image = np.zeros((height, width, 3), np.uint8)
    top, left = height // 2, width // 2
    image[:top, :left] = (255, 0, 0)
    image[:top, left:] = (0, 255, 0)
    image[top:, :left] = (0, 0, 255)
    image[top:, left:] = 255
    return image


def saved(image, kind, **options):
    file = io.BytesIO()
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image)
    image.save(file, kind, **options)
    return file.getvalue()


def assert_close(actual, expected, tolerance=12):
    assert actual.dtype == np.uint8
    assert actual.shape == expected.shape
    off = np.abs(actual.astype(int) - expected.astype(int)).mean()
    assert off < tolerance, off


def giant_png(width=30_000, height=30_000):
    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_recognised_by_its_bytes_and_decoded(kind):
    data = saved(corners(), kind)
    assert inspect(data, LIMITS) == ImageInfo(kind.lower(), 64, 48)
    assert_close(decode(data, LIMITS), corners())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(kind, orientation):
    # How a camera held that way stores the scene: the inverse of what the tag asks for.
    stored = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](corners())
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(np.ascontiguousarray(stored), kind, exif=exif)
    info = inspect(data, LIMITS)
    assert (info.width, info.height) == (64, 48)
    assert_close(decode(data, LIMITS), corners())


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(value):
    exif = Image.Exif()
    exif[0x0112] = value
    assert_close(decode(saved(corners(), "JPEG", exif=exif), LIMITS), corners())


def test_broken_metadata_do_not_cost_the_picture():
    data = saved(corners(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 40)
    assert_close(decode(data, LIMITS), corners())


def test_grey_becomes_rgb():
    grey = np.arange(64 * 48, dtype=np.uint32).reshape(48, 64).astype(np.uint8)
    assert np.array_equal(decode(saved(grey, "PNG"), LIMITS), np.stack([grey] * 3, axis=-1))


def test_one_bit_becomes_black_and_white():
    picture = Image.fromarray(corners()).convert("1", dither=Image.Dither.NONE)
    assert set(np.unique(decode(saved(picture, "PNG"), LIMITS))) == {0, 255}


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_range(kind):
    levels = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    assert np.array_equal(
        decode(saved(levels, kind), LIMITS)[..., 0], np.arange(256).reshape(16, 16)
    )


def test_sixteen_bit_colour_png_keeps_its_range():
    cv2 = pytest.importorskip("cv2")
    deep = corners().astype(np.uint16) * 257
    data = cv2.imencode(".png", deep[..., ::-1])[1].tobytes()
    assert np.array_equal(decode(data, LIMITS), corners())


def test_float_tiff_keeps_its_range():
    levels = (np.arange(256, dtype=np.float32) / 255).reshape(16, 16)
    expected = np.arange(256).reshape(16, 16)
    assert np.array_equal(decode(saved(levels, "TIFF"), LIMITS)[..., 0], expected)
    assert np.array_equal(decode(saved(levels * 255, "TIFF"), LIMITS)[..., 0], expected)


def test_cmyk_has_the_right_colours():
    data = saved(Image.fromarray(corners()).convert("CMYK"), "JPEG", quality=95)
    assert_close(decode(data, LIMITS), corners())


def test_palette_and_its_transparency():
    picture = Image.fromarray(corners()).quantize(8)
    assert_close(decode(saved(picture, "PNG"), LIMITS), corners())
    red = picture.getpixel((0, 0))
    seen = decode(saved(picture, "PNG", transparency=red), LIMITS)
    assert (seen[0, 0] == 255).all()
    assert (seen[0, -1] == (0, 255, 0)).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_becomes_white(mode):
    picture = Image.fromarray(np.zeros((4, 4, 3), np.uint8)).convert(mode)
    picture.putalpha(Image.fromarray(np.array([[0, 255, 128, 255]] * 4, np.uint8)))
    seen = decode(saved(picture, "PNG"), LIMITS)
    assert seen[0].tolist() == [[255] * 3, [0] * 3, [127] * 3, [0] * 3]


def test_transparent_colour_of_an_rgb_png_becomes_white():
    data = saved(corners(), "PNG", transparency=(255, 0, 0))
    assert (decode(data, LIMITS)[0, 0] == 255).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "1", "CMYK", "I;16", "F"])
def test_pixels_are_the_same_however_many_are_converted_at_once(mode, monkeypatch):
    noise = np.random.default_rng(1).integers(0, 256, (30, 11, 4), np.uint8)
    picture = Image.fromarray(noise, "RGBA")
    if mode in {"I;16", "F"}:  # only the last row tells that levels go beyond 1
        levels = noise[..., 0] * (np.arange(30) == 29)[:, None]
        picture = Image.fromarray(levels.astype(np.float32 if mode == "F" else np.uint16) * 1)
    elif mode != "RGBA":
        picture = picture.convert(mode)
    data = saved(picture, "TIFF" if mode in {"F", "CMYK"} else "PNG")
    whole = decode(data, LIMITS)
    assert whole.shape == (30, 11, 3)
    for at_once in (1, 7 * 11, 29 * 11):
        monkeypatch.setattr(images, "AT_ONCE_PX", at_once)
        assert np.array_equal(decode(data, LIMITS), whole)


def test_too_little_memory_is_no_fault_of_the_picture(monkeypatch):
    def load(_):
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    data = saved(corners(), "BMP")
    expected = Rejection(Reason.OUT_OF_MEMORY, "bmp, 64x48")
    assert decode(data, LIMITS) == expected


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["RGB", "RGBA", "I;16"])
def test_a_large_picture_takes_ten_bytes_a_pixel(kind, tmp_path):
    """Pillow's own four, three of the result, and some rows that are converted together."""
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new(kind, (5000, 5000), 9 if kind == "I;16" else 0).save(
        tmp_path / "large", "PNG", exif=turned
    )
    code = (
        "import re, sys; from pathlib import Path; from pipeline.images import ImageLimits, read;"
        r" peak = lambda: int(re.search(r'VmHWM:\s+(\d+)', open('/proc/self/status').read())[1]);"
        " before = peak(); read(Path(sys.argv[1]), ImageLimits()); print(1024 * (peak() - before))"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "large")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert 5000 * 5000 * 3 < int(done.stdout) < 5000 * 5000 * 10


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_counts(kind):
    frames = [Image.fromarray(corners()), Image.fromarray(255 - corners())]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)
    assert_close(decode(data, LIMITS), corners())


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9])
def test_a_truncated_file_is_rejected_and_never_raises(kind, share):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    data = saved(noise, kind)
    result = decode(data[: int(len(data) * share)], LIMITS)
    assert isinstance(result, Rejection)
    assert result.reason in {Reason.DECODE_FAILED, Reason.NOT_AN_IMAGE}
    assert result.detail


@pytest.mark.parametrize(
    "data", [b"", b"<!DOCTYPE html><p>not found", b"a picture, I swear", b"\xff\xd8"]
)
def test_what_is_no_image_is_said_so(data):
    for result in (inspect(data, LIMITS), decode(data, LIMITS)):
        assert isinstance(result, Rejection)
        assert result.reason in {Reason.NOT_AN_IMAGE, Reason.DECODE_FAILED}


def test_other_formats_that_pillow_reads_are_not_opened():
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n"
    for data in (postscript, saved(corners(), "PPM"), saved(corners(), "TGA")):
        assert inspect(data, LIMITS).reason is Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("side", [10_001, 14_000, 30_000, 2**31 - 1])
def test_a_giant_header_is_rejected_before_decoding(side):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for look in (inspect, decode):
            result = look(giant_png(side, side), LIMITS)
            assert result.reason is Reason.TOO_MANY_PIXELS
            assert str(side) in result.detail


def test_pixels_are_judged_at_the_limit():
    data = saved(corners(10, 10), "PNG")
    assert isinstance(inspect(data, ImageLimits(max_pixels=100)), ImageInfo)
    assert inspect(data, ImageLimits(max_pixels=99)).reason is Reason.TOO_MANY_PIXELS


def test_tiny_images_are_too_small():
    assert inspect(saved(corners(40, 8), "PNG"), ImageLimits(min_side_px=9)).reason is (
        Reason.TOO_SMALL
    )


def test_a_missing_file_and_a_folder_are_unreadable(tmp_path: Path):
    assert read(tmp_path / "gone.jpg", LIMITS).reason is Reason.UNREADABLE
    assert read(tmp_path, LIMITS).reason is Reason.UNREADABLE


def test_png_survives_bit_for_bit_and_is_the_same_every_time():
    noise = np.random.default_rng(1).integers(0, 255, (33, 47, 3), np.uint8)
    assert encode_png(noise) == encode_png(noise.copy())
    assert np.array_equal(decode(encode_png(noise), LIMITS), noise)


def test_noise_after_every_signature_is_rejected_and_never_raises():
    random = np.random.default_rng(2)
    for kind in FORMATS:
        good = bytearray(saved(corners(), kind))
        for _ in range(60):
            bad = bytearray(good)
            for at in random.integers(0, len(bad), 8):
                bad[at] = random.integers(256)
            result = decode(bytes(bad), LIMITS)
            assert isinstance(result, (Rejection, np.ndarray))


def test_threads_may_look_at_headers_at_the_same_time():
    data = [saved(corners(), "JPEG"), giant_png(), b"text", os.urandom(99)] * 50
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda one: inspect(one, LIMITS), data))
    assert [type(result) for result in results[:3]] == [ImageInfo, Rejection, Rejection]
    assert warnings.filters == before
