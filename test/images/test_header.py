"""The size in the header is the size of the decoded image, for all images OpenCV decodes."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydranet_ros.errors import ImageError
from hydranet_ros.images.header import (
    DEFAULT_MAX_PIXELS,
    LARGEST_MAX_PIXELS,
    check_pixels,
    image_size,
)

# Options of the encoder: baseline, progressive, restart markers.
VARIANTS = {
    'png': ('.png', []),
    'jpeg': ('.jpg', []),
    'progressive': ('.jpg', [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
    'restart': ('.jpg', [cv2.IMWRITE_JPEG_RST_INTERVAL, 1]),
}


def encoded(width: int, height: int, variant: str, *, gray: bool = False) -> bytes:
    shape = (height, width) if gray else (height, width, 3)
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    ending, options = VARIANTS[variant]
    return cv2.imencode(ending, image, options)[1].tobytes()


def decoded_size(data: bytes) -> tuple[int, int] | None:
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error:
        return None
    return None if image is None else (image.shape[1], image.shape[0])


@settings(deadline=None)
@given(
    width=st.integers(1, 70), height=st.integers(1, 70), variant=st.sampled_from(sorted(VARIANTS)),
    gray=st.booleans(),
)  # fmt: skip
def test_the_size_is_that_of_the_image(width, height, variant, gray):
    assert image_size(encoded(width, height, variant, gray=gray)) == (width, height)


def test_any_buffer_of_bytes_is_read():
    data = encoded(7, 5, 'jpeg')
    for buffer in (data, bytearray(data), memoryview(data), np.frombuffer(data, np.uint8).data):
        assert image_size(buffer) == (7, 5)


@settings(deadline=None, max_examples=300)
@given(data=st.binary(max_size=60), head=st.sampled_from([b'', b'\xff\xd8\xff', b'\x89PNG\r\n']))
def test_any_bytes_give_a_size_or_none(data, head):
    size = image_size(head + data)
    assert size is None or len(size) == 2


@pytest.mark.parametrize('variant', sorted(VARIANTS))
def test_a_truncated_header_has_no_size(variant: str):
    data = encoded(9, 6, variant)
    sizes = [image_size(data[:length]) for length in range(len(data))]
    first = sizes.index((9, 6))
    assert sizes[:first] == [None] * first
    assert set(sizes[first:]) == {(9, 6)}


@settings(deadline=None, max_examples=500)
@given(
    variant=st.sampled_from(sorted(VARIANTS)),
    changes=st.lists(
        st.tuples(st.integers(0, 700), st.integers(0, 2), st.binary(max_size=6)), max_size=4
    ),
)  # fmt: skip
def test_no_damage_makes_opencv_decode_another_size_than_the_header_declares(variant, changes):
    """Each change replaces ``removed`` bytes at ``at`` with others, so that segments move too."""
    data = encoded(9, 6, variant)
    for at, removed, inserted in changes:
        data = data[:at] + inserted + data[at + removed :]
    if not data.startswith((b'\xff\xd8\xff', b'\x89PNG')):
        return
    # Decoding a damaged header of gigabytes is what the limit prevents.
    declared = image_size(data)
    if declared is not None and declared[0] * declared[1] > 1_000_000:
        return
    decoded = decoded_size(data)
    assert decoded is None or decoded == declared


@pytest.mark.parametrize(
    'gap',
    [b'\xff', b'\xff' * 9, b'garbage', b'\x00', b'\xff\x00', b'\xff\xd0', b'\xff\x01',
     b'\xff\xd7a', b'\xff\xfe\x00\x00', b'\xff\xfe\x00\x04\xff\xc0',
     b'\xff\xe1\x00\x0b\xff\xc0\x00\x11\x08\x00\x01\x00\x01'],
)  # fmt: skip
def test_bytes_between_segments_are_skipped_as_the_decoder_skips_them(gap: bytes):
    data = encoded(9, 6, 'jpeg')
    at = data.index(b'\xff\xdb')
    damaged = data[:at] + gap + data[at:]
    assert image_size(damaged) == (9, 6)
    assert decoded_size(damaged) in (None, (9, 6))


def test_a_frame_of_an_animated_png_cannot_exceed_the_header():
    data = encoded(9, 6, 'png')
    control = b'fcTL' + struct.pack('>IIIIIHHBB', 0, 3000, 3000, 0, 0, 1, 10, 0, 0)
    animation = b'acTL' + struct.pack('>II', 1, 0)
    chunks = b''.join(
        struct.pack('>I', len(chunk) - 4) + chunk + struct.pack('>I', zlib.crc32(chunk))
        for chunk in (animation, control)
    )
    damaged = data[:33] + chunks + data[33:]
    assert image_size(damaged) == (9, 6)
    assert decoded_size(damaged) in (None, (9, 6))


@pytest.mark.parametrize(
    'unit', [b'\xff', b'\x00', b'\xff\x00', b'\xff\xd0', b'\xff\xfe\x00\x02', b'\xff\xfe\xff\xff']
)
def test_a_malicious_header_of_8_mb_is_read_in_one_pass(unit: bytes):
    """A search that starts again at every marker would take hours."""
    data = b'\xff\xd8\xff\xfe\x00\x02' + unit * (8_000_000 // len(unit))
    assert image_size(data) is None


def header(marker: int, width: int = 9, height: int = 6, before: bytes = b'') -> bytes:
    """Return a JPEG that ends after the segment with this marker."""
    segment = struct.pack('>HBHH', 17, 8, height, width)
    return b'\xff\xd8' + before + b'\xff' + bytes([marker]) + segment


@pytest.mark.parametrize('marker', range(0xC0, 0xD0))
def test_only_start_of_frame_markers_have_the_size(marker: int):
    """C4, C8 and CC define tables (ITU-T T.81, table B.1)."""
    expected = None if marker in (0xC4, 0xC8, 0xCC) else (9, 6)
    assert image_size(header(marker)) == expected


@pytest.mark.parametrize('marker', [0xD8, 0xD9, 0xDA])
def test_no_size_is_found_after_the_end_of_the_header(marker: int):
    segment = bytes([0xFF, marker, 0, 3, 0])
    assert image_size(b'\xff\xd8\xff\xe0\0\2' + segment + header(0xC0)[2:]) is None


@pytest.mark.parametrize(
    ('segments', 'expected'), [(0, (9, 6)), (4095, (9, 6)), (4096, None), (5000, None)]
)
def test_at_most_4096_segments_are_read(segments: int, expected):
    assert image_size(header(0xC0, before=b'\xff\xe1\x00\x02' * segments)) == expected


def test_a_segment_is_as_long_as_it_declares():
    hidden = b'\xff\xc0\x00\x11\x08\x00\x01\x00\x02'
    segment = b'\xff\xe1' + struct.pack('>H', 2 + len(hidden)) + hidden
    assert image_size(header(0xC0, before=segment)) == (9, 6)


def test_sizes_are_unsigned_and_of_16_or_32_bits():
    assert image_size(header(0xC0, width=65535, height=40000)) == (65535, 40000)
    png = b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR' + struct.pack('>II', 2**31, 2**32 - 1)
    assert image_size(png) == (2**31, 2**32 - 1)
    assert image_size(png[:-1]) is None


@pytest.mark.parametrize('data', [b'', b'\xff\xd8', b'\xff\xd8\xfe' + bytes(20), b'GIF89a'])
def test_other_formats_have_no_size(data: bytes):
    assert image_size(data) is None


@pytest.mark.parametrize(
    'head', [b'GIF', b'BM\0', b'\xff\xd7\xff', b'\xff\xd9\xff', b'\xff\xd8\xfe', b'\xff\xff\xff']
)
def test_a_jpeg_begins_with_its_own_mark(head: bytes):
    """The rest is that of a JPEG, so only the first three bytes tell the format."""
    data = encoded(9, 6, 'jpeg')
    assert image_size(data) == (9, 6)
    assert image_size(head + data[3:]) is None


@pytest.mark.parametrize('at', range(16))
@pytest.mark.parametrize('change', [-1, 1])
def test_a_png_begins_with_its_own_mark(at: int, change: int):
    """Every byte of the signature and of the header chunk's length and name counts."""
    data = bytearray(encoded(9, 6, 'png'))
    assert image_size(data) == (9, 6)
    data[at] = (data[at] + change) % 256
    assert image_size(data) is None


def test_the_largest_limit_is_the_largest_int32():
    """A node parameter has an integer range; OpenCV counts pixels in an int."""
    assert LARGEST_MAX_PIXELS == 2_147_483_647


def test_the_limit_of_pixels_includes_itself():
    check_pixels(4, 3, 12)
    with pytest.raises(ImageError, match='too large: 4x3 = 12 pixels; max_pixels allows 11'):
        check_pixels(4, 3, 11)


@pytest.mark.parametrize('size', [(4000, 3000), (4208, 3120), (4000, 3500)])
def test_cameras_of_13_megapixels_pass_the_default_limit(size):
    check_pixels(*size, DEFAULT_MAX_PIXELS)


@pytest.mark.parametrize('size', [(14_000_001, 1), (4000, 3501)])
def test_an_image_of_more_than_14_megapixels_is_above_the_default_limit(size):
    with pytest.raises(ImageError, match='max_pixels allows 14000000'):
        check_pixels(*size, DEFAULT_MAX_PIXELS)
