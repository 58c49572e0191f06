"""Decoding of compressed image messages."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from array import array

import cv2
import numpy as np
import pytest

from hydranet_ros.errors import ImageError
from hydranet_ros.images.jpeg import decode_compressed

SMOOTH = cv2.resize(
    np.random.default_rng(3).integers(0, 256, (4, 5, 3), np.uint8), (40, 32),
    interpolation=cv2.INTER_CUBIC,
)  # fmt: skip


def compressed(rgb: np.ndarray, suffix: str) -> bytes:
    return cv2.imencode(suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes()


def test_a_png_is_restored_exactly():
    got = decode_compressed(compressed(SMOOTH, '.png'))
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, SMOOTH)


def test_a_jpeg_is_restored_nearly_from_any_buffer():
    blurred = cv2.GaussianBlur(SMOOTH, (0, 0), 8)
    data = compressed(blurred, '.jpg')
    for buffer in (data, array('B', data), np.frombuffer(data, np.uint8)):
        assert np.abs(decode_compressed(buffer).astype(int) - blurred).max() < 10


def test_the_exif_orientation_is_ignored():
    jpeg = compressed(SMOOTH, '.jpg')
    tiff = b'II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0'
    exif = b'Exif\0\0' + tiff
    marked = jpeg[:2] + b'\xff\xe1' + (len(exif) + 2).to_bytes(2, 'big') + exif + jpeg[2:]
    assert cv2.imdecode(np.frombuffer(marked, np.uint8), cv2.IMREAD_COLOR).shape == (40, 32, 3)
    assert decode_compressed(marked).shape == (32, 40, 3)


def declaring(width: int, height: int, suffix: str) -> bytes:
    """Return a small image whose header declares another size."""
    data = bytearray(compressed(np.zeros((8, 8, 3), np.uint8), suffix))
    if suffix == '.png':
        data[16:24] = struct.pack('>II', width, height)
        data[29:33] = struct.pack('>I', zlib.crc32(data[12:29]))
    else:
        frame = data.index(b'\xff\xc0')
        data[frame + 5 : frame + 9] = struct.pack('>HH', height, width)
    return bytes(data)


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
@pytest.mark.parametrize('size', [(4000, 4000), (16000, 16000)])
def test_an_image_above_the_limit_is_not_decoded(monkeypatch, suffix, size):
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('the image was decoded'))
    with pytest.raises(ImageError, match=f'{size[0]}x{size[1]} = .*allows 14000000.*--max-pixels'):
        decode_compressed(declaring(*size, suffix))


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_an_image_of_exactly_the_limit_is_decoded(suffix: str):
    data = compressed(SMOOTH, suffix)
    assert decode_compressed(data, max_pixels=1280).shape == (32, 40, 3)
    with pytest.raises(ImageError, match='40x32 = 1280 pixels; max_pixels allows 1279'):
        decode_compressed(data, max_pixels=1279)


@pytest.mark.parametrize('suffix', ['.bmp', '.tiff', '.webp', '.ppm'])
def test_formats_other_than_jpeg_and_png_are_an_error(monkeypatch, suffix: str):
    data = compressed(SMOOTH, suffix)
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('the image was decoded'))
    with pytest.raises(ImageError, match='Supported formats: JPEG and PNG'):
        decode_compressed(data)


@pytest.mark.parametrize('data', [b'', b'\xff\xd8\xff', b'not an image', bytes(100)])
def test_bytes_that_are_not_an_image_are_an_error_with_their_start(data: bytes):
    with pytest.raises(ImageError) as error:
        decode_compressed(data)
    assert f'{len(data)} bytes of compressed image cannot be decoded' in str(error.value)
    assert f'start with {data[:8]!r}.' in str(error.value)


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_a_truncated_image_is_an_error_or_an_image_of_its_size(suffix: str):
    data = compressed(SMOOTH, suffix)
    for end in range(1, len(data), 7):
        try:
            assert decode_compressed(data[:end]).shape == (32, 40, 3)
        except ImageError:
            continue


DECODE = """
import sys
from hydranet_ros.errors import ImageError
from hydranet_ros.images.jpeg import decode_compressed
try:
    decode_compressed(sys.stdin.buffer.read(), max_pixels=2**31 - 1)
except ImageError as err:
    print(err)
"""


def test_an_exception_of_opencv_is_an_image_error_of_one_line():
    """Run in a process of its own: OpenCV reads its limit of pixels when it is loaded."""
    environment = {k: v for k, v in os.environ.items() if k != 'OPENCV_IO_MAX_IMAGE_PIXELS'}
    done = subprocess.run(
        [sys.executable, '-c', DECODE], input=declaring(16000, 16000, '.png'),
        capture_output=True, check=True, env=environment,
    )  # fmt: skip
    (line,) = done.stdout.decode().splitlines()
    assert line.startswith('OpenCV cannot decode') and 'bytes of compressed image: ' in line
