"""Every accepted encoding comes out as the same RGB; everything malformed is refused by name."""

from __future__ import annotations

import struct
import zlib
from array import array

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydranet_ros.errors import ImageError
from hydranet_ros.images.encodings import SUPPORTED_ENCODINGS, decode_compressed, to_rgb
from hydranet_ros.images.header import DEFAULT_MAX_PIXELS, check_pixels

CHANNELS = {
    'rgb': [0, 1, 2], 'bgr': [2, 1, 0], 'rgba': [0, 1, 2, 3], 'bgra': [2, 1, 0, 3],
}  # fmt: skip
EXACT = [f'{name}{bits}' for name in CHANNELS for bits in (8, 16)]


def picture(height: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def padded(rows: np.ndarray, padding: int) -> tuple[bytes, int]:
    """Return the rows' bytes with ``padding`` bytes of rubbish after each, and the step."""
    flat = np.ascontiguousarray(rows).view(np.uint8).reshape(rows.shape[0], -1)
    rubbish = np.full((rows.shape[0], padding), 0xA5, np.uint8)
    return np.hstack([flat, rubbish]).tobytes(), flat.shape[1] + padding


def encode(rgb: np.ndarray, encoding: str, big: bool) -> np.ndarray:
    name, bits = encoding.rstrip('0168'), encoding[len(encoding.rstrip('0168')) :]
    alpha = np.full((*rgb.shape[:2], 1), 9, np.uint8)
    samples = np.concatenate([rgb, alpha], -1)[..., CHANNELS[name]]
    if bits == '16':
        return (samples.astype(np.uint16) * 257).astype('>u2' if big else '<u2')
    return samples


@settings(max_examples=150, deadline=None)
@given(
    encoding=st.sampled_from(EXACT), height=st.integers(1, 9), width=st.integers(1, 9),
    padding=st.integers(0, 7), big=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_colour_survives_any_order_depth_endianness_and_row_padding(
    encoding, height, width, padding, big, seed
):
    rgb = picture(height, width, seed)
    data, step = padded(encode(rgb, encoding, big), padding)
    got = to_rgb(data, height=height, width=width, encoding=encoding, step=step, is_bigendian=big)
    np.testing.assert_array_equal(got, rgb)
    assert got.flags.c_contiguous and got.dtype == np.uint8


@given(padding=st.integers(0, 5), seed=st.integers(0, 99))
def test_grey_comes_out_as_equal_channels(padding: int, seed: int):
    grey = picture(4, 6, seed)[..., 0]
    for encoding, samples in (
        ('mono8', grey), ('8UC1', grey), ('mono16', grey.astype('<u2') * np.uint16(257)),
    ):  # fmt: skip
        data, step = padded(samples, padding)
        got = to_rgb(data, height=4, width=6, encoding=encoding, step=step)
        np.testing.assert_array_equal(got, np.repeat(grey[..., None], 3, -1))


def test_8UC3_and_8UC4_are_read_as_bgr_as_rviz_does():
    rgb = picture(3, 4, 0)
    bgr = rgb[..., ::-1].tobytes()
    bgra = encode(rgb, 'bgra8', False).tobytes()
    for data, encoding, step in ((bgr, '8UC3', 12), (bgra, '8UC4', 16)):
        got = to_rgb(data, height=3, width=4, encoding=encoding, step=step)
        np.testing.assert_array_equal(got, rgb)


def test_16_bit_is_rounded_to_the_nearest_8_bit_value():
    values = np.arange(65536, dtype='<u2').reshape(256, 256)
    got = to_rgb(values.tobytes(), height=256, width=256, encoding='mono16', step=512)
    np.testing.assert_array_equal(got[..., 0], np.rint(values / 257.0))


SMOOTH = cv2.resize(picture(4, 5, 3), (40, 32), interpolation=cv2.INTER_CUBIC)


def chroma_blocks(block: tuple[int, int]) -> np.ndarray:
    """Return a picture whose colour is constant in each block, so that subsampling is exact."""
    rows, columns = block
    small = SMOOTH[::rows, ::columns]
    return np.repeat(np.repeat(small, rows, 0), columns, 1)[:32, :40]


def yuv(rgb: np.ndarray) -> np.ndarray:
    """Return studio-range BT.601 Y, U, V as uint8, from the standard's own numbers."""
    r, g, b = np.moveaxis(rgb.astype(float), -1, 0)
    y = 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255
    u = 128 + (-37.797 * r - 74.203 * g + 112.0 * b) / 255
    v = 128 + (112.0 * r - 93.786 * g - 18.214 * b) / 255
    return np.rint(np.stack([y, u, v], -1)).astype(np.uint8)


@pytest.mark.parametrize(
    ('encoding', 'order'),
    [('yuv422', 'uyvy'), ('uyvy', 'uyvy'), ('yuv422_yuy2', 'yuyv'), ('yuyv', 'yuyv')],
)
@pytest.mark.parametrize('padding', [0, 3])
def test_yuv422_has_the_colours_of_bt_601(encoding: str, order: str, padding: int):
    rgb = chroma_blocks((1, 2))
    y, u, v = np.moveaxis(yuv(rgb), -1, 0)
    pair = {'y': y, 'c': np.where(np.arange(40) % 2 == 0, u, v)}
    packed = np.stack([pair['c'], pair['y']] if order == 'uyvy' else [pair['y'], pair['c']], -1)
    data, step = padded(packed, padding)
    got = to_rgb(data, height=32, width=40, encoding=encoding, step=step)
    assert np.abs(got.astype(int) - rgb).max() <= 3


@pytest.mark.parametrize(('encoding', 'order'), [('nv12', (1, 2)), ('nv21', (2, 1))])
@pytest.mark.parametrize('padding', [0, 4])
def test_nv12_and_nv21_have_the_colours_of_bt_601(encoding: str, order, padding: int):
    rgb = chroma_blocks((2, 2))
    planes = yuv(rgb)
    chroma = planes[::2, ::2][..., list(order)].reshape(16, 40)
    data, step = padded(np.vstack([planes[..., 0], chroma]), padding)
    got = to_rgb(data, height=32, width=40, encoding=encoding, step=step)
    assert np.abs(got.astype(int) - rgb).max() <= 3


@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
@pytest.mark.parametrize('bits', [8, 16])
def test_a_bayer_name_gives_the_top_left_block_in_reading_order(pattern: str, bits: int):
    """A uniform picture comes back only if the pattern is read right: all others swap colours."""
    colour = {'r': 200, 'g': 120, 'b': 30}
    mosaic = np.empty((8, 10), np.uint8)
    for i, letter in enumerate(pattern):
        mosaic[i // 2 :: 2, i % 2 :: 2] = colour[letter]
    samples = mosaic if bits == 8 else mosaic.astype('<u2') * np.uint16(257)
    data, step = padded(samples, 6)
    got = to_rgb(data, height=8, width=10, encoding=f'bayer_{pattern}{bits}', step=step)
    np.testing.assert_array_equal(got, np.broadcast_to(np.uint8([200, 120, 30]), (8, 10, 3)))


def test_rgb8_is_a_view_and_the_rest_goes_where_it_is_told():
    data = array('B', picture(4, 5, 1).tobytes())
    view = to_rgb(data, height=4, width=5, encoding='rgb8', step=15)
    assert np.shares_memory(view, np.frombuffer(data, np.uint8))
    out = np.empty((4, 5, 3), np.uint8)
    assert to_rgb(data, height=4, width=5, encoding='bgr8', step=15, out=out) is out
    np.testing.assert_array_equal(out, view[..., ::-1])
    wrong = np.empty((9, 9, 3), np.uint8)
    assert to_rgb(data, height=4, width=5, encoding='bgr8', step=15, out=wrong) is not wrong


def test_the_padding_of_the_last_row_may_be_missing():
    rgb = picture(3, 4, 2)
    data, step = padded(rgb, 5)
    got = to_rgb(data[:-5], height=3, width=4, encoding='rgb8', step=step)
    np.testing.assert_array_equal(got, rgb)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'encoding': '32FC1'}, "'32FC1' is not supported; supported: rgb8.*Convert"),
        ({'encoding': ''}, "'' is not supported"),
        ({'height': 0}, 'empty: 4x0.*camera driver'),
        ({'width': 0}, 'empty: 0x3'),
        ({'data': b''}, 'holds 0 bytes; 4x3 pixels rgb8 with step 12 need 36'),
        ({'step': 11}, 'step is 11 bytes; a row of 4 pixels rgb8 needs at least 12'),
        ({'step': 0}, 'step is 0'),
        ({'step': 13}, 'holds 36 bytes.*step 13 need 39'),
        ({'data': bytes(40)}, 'holds 40 bytes.*need 36'),
        ({'height': 4}, 'holds 36 bytes.*need 48'),
        ({'encoding': 'yuyv', 'width': 3}, 'half a sample: its width must divide by 2'),
        ({'encoding': 'bayer_rggb8', 'height': 3}, 'its height by 2'),
        ({'data': None}, 'NoneType is no contiguous buffer'),
        ({'data': 'text'}, 'str is no contiguous buffer'),
    ],
)
def test_a_malformed_image_is_refused_with_what_was_got(changes: dict, message: str):
    good = {'data': bytes(36), 'height': 3, 'width': 4, 'encoding': 'rgb8', 'step': 12}
    assert to_rgb(good.pop('data'), **good).shape == (3, 4, 3)
    values = {'data': bytes(36), **good, **changes}
    with pytest.raises(ImageError, match=message):
        to_rgb(values.pop('data'), **values)


@settings(max_examples=200, deadline=None)
@given(
    data=st.binary(max_size=80), height=st.integers(0, 5), width=st.integers(0, 5),
    step=st.integers(0, 40), encoding=st.sampled_from(SUPPORTED_ENCODINGS), big=st.booleans(),
)  # fmt: skip
def test_any_bytes_give_a_picture_of_the_right_size_or_an_image_error(
    data, height, width, step, encoding, big
):
    try:
        got = to_rgb(
            data, height=height, width=width, encoding=encoding, step=step, is_bigendian=big
        )
    except ImageError:
        return
    assert got.shape == (height, width, 3) and got.dtype == np.uint8


def compressed(rgb: np.ndarray, kind: str) -> bytes:
    return cv2.imencode(kind, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes()


def test_a_png_comes_back_exactly_and_a_jpeg_nearly():
    np.testing.assert_array_equal(decode_compressed(compressed(SMOOTH, '.png')), SMOOTH)
    shades = cv2.GaussianBlur(SMOOTH, (0, 0), 8)
    jpeg = decode_compressed(array('B', compressed(shades, '.jpg')))
    assert np.abs(jpeg.astype(int) - shades).max() < 10


def test_an_exif_rotation_does_not_turn_the_pixels():
    jpeg = compressed(SMOOTH, '.jpg')
    tiff = b'II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0'
    exif = b'Exif\0\0' + tiff
    marked = jpeg[:2] + b'\xff\xe1' + (len(exif) + 2).to_bytes(2, 'big') + exif + jpeg[2:]
    assert cv2.imdecode(np.frombuffer(marked, np.uint8), cv2.IMREAD_COLOR).shape == (40, 32, 3)
    assert decode_compressed(marked).shape == (32, 40, 3)


def claiming(width: int, height: int, kind: str) -> bytes:
    """Return a small image whose header states another size."""
    data = bytearray(compressed(np.zeros((8, 8, 3), np.uint8), kind))
    if kind == '.png':
        data[16:24] = struct.pack('>II', width, height)
        data[29:33] = struct.pack('>I', zlib.crc32(data[12:29]))
    else:
        at = data.index(b'\xff\xc0')
        data[at + 5 : at + 9] = struct.pack('>HH', height, width)
    return bytes(data)


@pytest.mark.parametrize('kind', ['.jpg', '.png'])
@pytest.mark.parametrize('size', [(4000, 4000), (16000, 16000)])
def test_a_small_file_that_claims_a_large_image_is_refused_undecoded(monkeypatch, kind, size):
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('the image was decoded'))
    with pytest.raises(ImageError, match=f'{size[0]}x{size[1]} = .*allows 14000000.*--max-pixels'):
        decode_compressed(claiming(*size, kind))


@pytest.mark.parametrize('kind', ['.jpg', '.png'])
def test_the_limit_of_pixels_includes_itself(kind: str):
    data = compressed(SMOOTH, kind)
    assert decode_compressed(data, max_pixels=1280).shape == (32, 40, 3)
    with pytest.raises(ImageError, match='40x32 = 1280 pixels; max_pixels allows 1279'):
        decode_compressed(data, max_pixels=1279)


@pytest.mark.parametrize('kind', ['.bmp', '.tiff', '.webp', '.ppm'])
def test_a_format_other_than_jpeg_and_png_is_refused(kind: str):
    with pytest.raises(ImageError, match='JPEG and PNG are supported'):
        decode_compressed(compressed(SMOOTH, kind))


def test_a_camera_of_12_megapixels_passes_the_default_limit():
    check_pixels(4000, 3000, DEFAULT_MAX_PIXELS)
    check_pixels(4208, 3120, DEFAULT_MAX_PIXELS)


def test_a_raw_image_above_the_limit_is_refused():
    arguments = {'height': 3, 'width': 4, 'encoding': 'rgb8', 'step': 12}
    assert to_rgb(bytes(36), **arguments, max_pixels=12).shape == (3, 4, 3)
    with pytest.raises(ImageError, match='4x3 = 12 pixels; max_pixels allows 11'):
        to_rgb(bytes(36), **arguments, max_pixels=11)


@pytest.mark.parametrize('data', [b'', b'\xff\xd8\xff', b'not a picture', bytes(100)])
def test_bytes_that_are_no_picture_are_refused(data: bytes):
    with pytest.raises(ImageError, match=f'{len(data)} bytes of compressed image'):
        decode_compressed(data)
