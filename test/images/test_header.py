"""The header's size is the decoded size, for every image that OpenCV decodes."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydranet_ros.images.header import image_size

# What an encoder can be asked for: baseline, progressive, restart markers.
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
def test_a_header_that_is_cut_off_has_no_size(variant: str):
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
def test_no_damage_makes_opencv_decode_another_size_than_the_header_states(variant, changes):
    """Each change replaces ``removed`` bytes at ``at`` by others, so that segments move too."""
    data = encoded(9, 6, variant)
    for at, removed, inserted in changes:
        data = data[:at] + inserted + data[at + removed :]
    if not data.startswith((b'\xff\xd8\xff', b'\x89PNG')):
        return
    # Decoding a damaged header of gigabytes is what the limit prevents.
    claimed = image_size(data)
    if claimed is not None and claimed[0] * claimed[1] > 1_000_000:
        return
    decoded = decoded_size(data)
    assert decoded is None or decoded == claimed


@pytest.mark.parametrize(
    'gap',
    [b'\xff', b'\xff' * 9, b'garbage', b'\x00', b'\xff\x00', b'\xff\xd0', b'\xff\x01',
     b'\xff\xd7a', b'\xff\xfe\x00\x00', b'\xff\xfe\x00\x04\xff\xc0',
     b'\xff\xe1\x00\x0b\xff\xc0\x00\x11\x08\x00\x01\x00\x01'],
)  # fmt: skip
def test_bytes_between_segments_are_skipped_as_the_decoder_skips_them(gap: bytes):
    data = encoded(9, 6, 'jpeg')
    at = data.index(b'\xff\xdb')
    spoiled = data[:at] + gap + data[at:]
    assert image_size(spoiled) == (9, 6)
    assert decoded_size(spoiled) in (None, (9, 6))


def test_a_frame_of_an_animated_png_cannot_exceed_the_header():
    data = encoded(9, 6, 'png')
    control = b'fcTL' + struct.pack('>IIIIIHHBB', 0, 3000, 3000, 0, 0, 1, 10, 0, 0)
    animation = b'acTL' + struct.pack('>II', 1, 0)
    chunks = b''.join(
        struct.pack('>I', len(chunk) - 4) + chunk + struct.pack('>I', zlib.crc32(chunk))
        for chunk in (animation, control)
    )
    spoiled = data[:33] + chunks + data[33:]
    assert image_size(spoiled) == (9, 6)
    assert decoded_size(spoiled) in (None, (9, 6))


@pytest.mark.parametrize(
    'unit', [b'\xff', b'\x00', b'\xff\x00', b'\xff\xd0', b'\xff\xfe\x00\x02', b'\xff\xfe\xff\xff']
)
def test_a_hostile_header_of_8_mb_is_read_in_one_pass(unit: bytes):
    """A search that goes back for every marker would not end."""
    data = b'\xff\xd8\xff\xfe\x00\x02' + unit * (8_000_000 // len(unit))
    assert image_size(data) is None
