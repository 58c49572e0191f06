"""Conversion of every supported encoding to RGB, and errors for malformed images."""

from __future__ import annotations

from array import array

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydranet_ros.errors import ImageError
from hydranet_ros.images.encodings import SUPPORTED_ENCODINGS, byte_array, to_rgb
from hydranet_ros.images.header import DEFAULT_MAX_PIXELS

CHANNELS = {
    'rgb': [0, 1, 2], 'bgr': [2, 1, 0], 'rgba': [0, 1, 2, 3], 'bgra': [2, 1, 0, 3],
}  # fmt: skip
EXACT = [f'{name}{bits}' for name in CHANNELS for bits in (8, 16)]


def random_image(height: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def padded(rows: np.ndarray, padding: int) -> tuple[bytes, int]:
    """Return the rows as bytes, with ``padding`` bytes of garbage after each, and the step."""
    flat = np.ascontiguousarray(rows).view(np.uint8).reshape(rows.shape[0], -1)
    garbage = np.full((rows.shape[0], padding), 0xA5, np.uint8)
    return np.hstack([flat, garbage]).tobytes(), flat.shape[1] + padding


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
def test_colors_are_exact_for_any_channel_order_depth_endianness_and_row_padding(
    encoding, height, width, padding, big, seed
):
    rgb = random_image(height, width, seed)
    data, step = padded(encode(rgb, encoding, big), padding)
    got = to_rgb(data, height=height, width=width, encoding=encoding, step=step, is_bigendian=big)
    np.testing.assert_array_equal(got, rgb)
    assert got.flags.c_contiguous and got.dtype == np.uint8


@given(padding=st.integers(0, 5), seed=st.integers(0, 99))
def test_gray_becomes_three_equal_channels(padding: int, seed: int):
    gray = random_image(4, 6, seed)[..., 0]
    for encoding, samples in (
        ('mono8', gray), ('8UC1', gray), ('mono16', gray.astype('<u2') * np.uint16(257)),
    ):  # fmt: skip
        data, step = padded(samples, padding)
        got = to_rgb(data, height=4, width=6, encoding=encoding, step=step)
        np.testing.assert_array_equal(got, np.repeat(gray[..., None], 3, -1))


def test_8UC3_and_8UC4_are_read_as_bgr_as_rviz_does():
    rgb = random_image(3, 4, 0)
    bgr = rgb[..., ::-1].tobytes()
    bgra = encode(rgb, 'bgra8', False).tobytes()
    for data, encoding, step in ((bgr, '8UC3', 12), (bgra, '8UC4', 16)):
        got = to_rgb(data, height=3, width=4, encoding=encoding, step=step)
        np.testing.assert_array_equal(got, rgb)


def test_16_bit_is_rounded_to_the_nearest_8_bit_value():
    values = np.arange(65536, dtype='<u2').reshape(256, 256)
    got = to_rgb(values.tobytes(), height=256, width=256, encoding='mono16', step=512)
    np.testing.assert_array_equal(got[..., 0], np.rint(values / 257.0))


SMOOTH = cv2.resize(random_image(4, 5, 3), (40, 32), interpolation=cv2.INTER_CUBIC)


def chroma_blocks(block: tuple[int, int]) -> np.ndarray:
    """Return an image with a constant color in each block, so that subsampling is exact."""
    rows, columns = block
    small = SMOOTH[::rows, ::columns]
    return np.repeat(np.repeat(small, rows, 0), columns, 1)[:32, :40]


def yuv(rgb: np.ndarray) -> np.ndarray:
    """Return studio-range BT.601 Y, U, V as uint8, from the numbers of the standard."""
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
def test_yuv422_has_the_colors_of_bt_601(encoding: str, order: str, padding: int):
    rgb = chroma_blocks((1, 2))
    y, u, v = np.moveaxis(yuv(rgb), -1, 0)
    pair = {'y': y, 'c': np.where(np.arange(40) % 2 == 0, u, v)}
    packed = np.stack([pair['c'], pair['y']] if order == 'uyvy' else [pair['y'], pair['c']], -1)
    data, step = padded(packed, padding)
    got = to_rgb(data, height=32, width=40, encoding=encoding, step=step)
    assert np.abs(got.astype(int) - rgb).max() <= 3


@pytest.mark.parametrize(('encoding', 'order'), [('nv12', (1, 2)), ('nv21', (2, 1))])
@pytest.mark.parametrize('padding', [0, 4])
def test_nv12_and_nv21_have_the_colors_of_bt_601(encoding: str, order, padding: int):
    rgb = chroma_blocks((2, 2))
    planes = yuv(rgb)
    chroma = planes[::2, ::2][..., list(order)].reshape(16, 40)
    data, step = padded(np.vstack([planes[..., 0], chroma]), padding)
    got = to_rgb(data, height=32, width=40, encoding=encoding, step=step)
    assert np.abs(got.astype(int) - rgb).max() <= 3


@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
@pytest.mark.parametrize('bits', [8, 16])
def test_a_bayer_name_gives_the_top_left_block_in_reading_order(pattern: str, bits: int):
    """A uniform image is restored only with the right pattern; all others swap colors."""
    color = {'r': 200, 'g': 120, 'b': 30}
    mosaic = np.empty((8, 10), np.uint8)
    for i, letter in enumerate(pattern):
        mosaic[i // 2 :: 2, i % 2 :: 2] = color[letter]
    samples = mosaic if bits == 8 else mosaic.astype('<u2') * np.uint16(257)
    data, step = padded(samples, 6)
    got = to_rgb(data, height=8, width=10, encoding=f'bayer_{pattern}{bits}', step=step)
    np.testing.assert_array_equal(got, np.broadcast_to(np.uint8([200, 120, 30]), (8, 10, 3)))


def test_rgb8_is_a_view_and_other_encodings_are_written_into_out():
    data = array('B', random_image(4, 5, 1).tobytes())
    view = to_rgb(data, height=4, width=5, encoding='rgb8', step=15)
    assert np.shares_memory(view, np.frombuffer(data, np.uint8))
    out = np.empty((4, 5, 3), np.uint8)
    assert to_rgb(data, height=4, width=5, encoding='bgr8', step=15, out=out) is out
    np.testing.assert_array_equal(out, view[..., ::-1])
    again = to_rgb(data, height=4, width=5, encoding='rgb8', step=15, out=out)
    assert np.shares_memory(again, view) and not np.shares_memory(again, out)


UNFIT = [
    np.empty((9, 9, 3), np.uint8), np.empty((1, 1, 3), np.uint8), np.empty((4, 5, 4), np.uint8),
    np.empty((4, 5), np.uint8), np.empty((4, 5, 3), np.int8), np.empty((4, 5, 3), np.int16),
    np.empty((4, 5, 3), np.bool_),
]  # fmt: skip


@pytest.mark.parametrize('out', UNFIT, ids=lambda out: f'{out.shape} {out.dtype}')
@pytest.mark.parametrize('encoding', ['bgr8', 'rgb8'])
def test_an_out_of_another_shape_or_type_is_not_used(out: np.ndarray, encoding: str):
    rgb = random_image(4, 5, 1)
    data, step = padded(encode(rgb, encoding, False), 3)
    got = to_rgb(data, height=4, width=5, encoding=encoding, step=step, out=out)
    assert got is not out and got.dtype == np.uint8
    np.testing.assert_array_equal(got, rgb)


def test_padded_rgb8_is_copied_into_out_or_a_new_array():
    rgb = random_image(4, 5, 1)
    data, step = padded(rgb, 2)
    arguments = {'height': 4, 'width': 5, 'encoding': 'rgb8', 'step': step}
    out = np.zeros((4, 5, 3), np.uint8)
    assert to_rgb(data, **arguments, out=out) is out
    np.testing.assert_array_equal(out, rgb)
    new = to_rgb(data, **arguments)
    assert new.flags.c_contiguous and not np.shares_memory(new, np.frombuffer(data, np.uint8))


BLOCKS = [*(f'bayer_{pattern}{bits}' for pattern in ('rggb', 'bggr', 'gbrg', 'grbg')
            for bits in (8, 16)), 'nv12', 'nv21']  # fmt: skip


@pytest.mark.parametrize('encoding', BLOCKS)
def test_bayer_and_nv_encodings_need_an_even_width_and_height(encoding: str):
    itemsize = 2 if encoding.endswith('16') else 1
    rows = {'nv12': 1.5, 'nv21': 1.5}.get(encoding, 1)
    for height, width in ((2, 2), (4, 4), (10, 8)):
        data = bytes(int(height * rows) * width * itemsize)
        step = width * itemsize
        shape = to_rgb(data, height=height, width=width, encoding=encoding, step=step).shape
        assert shape == (height, width, 3)
    for height, width in ((3, 4), (4, 3), (1, 2), (2, 1), (5, 5)):
        message = f'{encoding} needs a width divisible by 2 and a height divisible by 2; got '
        with pytest.raises(ImageError, match=f'{message}{width}x{height}'):
            to_rgb(b'', height=height, width=width, encoding=encoding, step=width * itemsize)


@pytest.mark.parametrize('encoding', ['yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv'])
def test_yuv422_may_have_an_odd_height_but_no_odd_width(encoding: str):
    data = bytes(3 * 4 * 2)
    assert to_rgb(data, height=3, width=4, encoding=encoding, step=8).shape == (3, 4, 3)
    message = f'{encoding} needs a width divisible by 2 and a height divisible by 1; got 3x4'
    with pytest.raises(ImageError, match=message):
        to_rgb(data, height=4, width=3, encoding=encoding, step=6)


def test_the_names_are_those_of_sensor_msgs():
    assert set(SUPPORTED_ENCODINGS) == {
        'rgb8', 'rgba8', 'bgr8', 'bgra8', 'mono8', 'rgb16', 'rgba16', 'bgr16', 'bgra16', 'mono16',
        'bayer_rggb8', 'bayer_bggr8', 'bayer_gbrg8', 'bayer_grbg8', 'bayer_rggb16',
        'bayer_bggr16', 'bayer_gbrg16', 'bayer_grbg16', '8UC1', '8UC3', '8UC4', 'yuv422', 'uyvy',
        'yuv422_yuy2', 'yuyv', 'nv12', 'nv21',
    }  # fmt: skip


@pytest.mark.parametrize('data', [b'', b'abc', array('B', b'abc'), np.zeros((2, 3), np.uint8)])
def test_any_contiguous_buffer_is_viewed_as_bytes(data):
    got = byte_array(data)
    assert got.dtype == np.uint8 and got.tobytes() == bytes(data)


def test_a_buffer_that_is_not_contiguous_is_an_error():
    with pytest.raises(ImageError, match='ndarray is not a contiguous buffer'):
        byte_array(np.zeros((4, 6), np.uint8)[:, ::2])


def test_the_padding_of_the_last_row_may_be_missing():
    rgb = random_image(3, 4, 2)
    data, step = padded(rgb, 5)
    got = to_rgb(data[:-5], height=3, width=4, encoding='rgb8', step=step)
    np.testing.assert_array_equal(got, rgb)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'encoding': '32FC1'}, "'32FC1' is not supported. Supported encodings: rgb8.*Convert"),
        ({'encoding': ''}, "'' is not supported"),
        ({'height': 0}, 'empty: 4x0.*camera driver'),
        ({'width': 0}, 'empty: 0x3'),
        ({'height': -1}, 'empty: 4x-1'),
        ({'width': -4}, 'empty: -4x3'),
        ({'data': b''}, 'has 0 bytes, but 4x3 pixels of rgb8 with step 12 need 36'),
        ({'step': 11}, 'step is 11 bytes, but 4 pixels of rgb8 need at least 12'),
        ({'step': 0}, 'step is 0'),
        ({'step': 13}, 'has 36 bytes.*step 13 need 39'),
        ({'data': bytes(40)}, 'has 40 bytes.*need 36'),
        ({'height': 4}, 'has 36 bytes.*need 48'),
        (
            {'encoding': 'yuyv', 'width': 3},
            'yuyv needs a width divisible by 2 and a height divisible by 1; got 3x3',
        ),
        ({'encoding': 'bayer_rggb8', 'height': 3}, 'a height divisible by 2; got 4x3'),
        ({'encoding': 'bayer_rggb8', 'height': 2, 'width': 3}, 'width divisible by 2.*got 3x2'),
        ({'encoding': 'nv12', 'height': 3}, 'a height divisible by 2; got 4x3'),
        ({'encoding': 'nv21', 'height': 2, 'width': 3}, 'width divisible by 2.*got 3x2'),
        ({'data': None}, 'NoneType is not a contiguous buffer'),
        ({'data': 'text'}, 'str is not a contiguous buffer'),
    ],
)
def test_a_malformed_image_is_an_error_that_states_what_was_found(changes: dict, message: str):
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
def test_any_bytes_give_an_image_of_the_right_size_or_an_image_error(
    data, height, width, step, encoding, big
):
    try:
        got = to_rgb(
            data, height=height, width=width, encoding=encoding, step=step, is_bigendian=big
        )
    except ImageError:
        return
    assert got.shape == (height, width, 3) and got.dtype == np.uint8


def test_an_image_above_the_limit_is_an_error():
    arguments = {'height': 3, 'width': 4, 'encoding': 'rgb8', 'step': 12}
    assert to_rgb(bytes(36), **arguments, max_pixels=12).shape == (3, 4, 3)
    with pytest.raises(ImageError, match='4x3 = 12 pixels; max_pixels allows 11'):
        to_rgb(bytes(36), **arguments, max_pixels=11)


def test_the_default_limit_is_14_megapixels():
    assert DEFAULT_MAX_PIXELS == 14_000_000
    with pytest.raises(ImageError, match='4000x3501 = 14004000 pixels; .* allows 14000000'):
        to_rgb(b'', height=3501, width=4000, encoding='mono8', step=4000)
    with pytest.raises(ImageError, match='has 0 bytes'):
        to_rgb(b'', height=3500, width=4000, encoding='mono8', step=4000)
