"""
Size of a JPEG or PNG image, read from its header without decoding the pixels.

A file of a few hundred bytes can declare a size that takes gigabytes to decode. The size is
therefore compared with a limit before anything is allocated.
"""

from __future__ import annotations

import re
import struct
from typing import TypeAlias

from hydranet_ros.errors import ImageError

# The network needs about 240 bytes per pixel: 3.4 GB at this limit, which admits 13 MP cameras.
DEFAULT_MAX_PIXELS = 14_000_000
LARGEST_MAX_PIXELS = 2**31 - 1

Bytes: TypeAlias = bytes | bytearray | memoryview

_PNG_HEAD = b'\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR'
_JPEG_HEAD = b'\xff\xd8\xff'
# The next JPEG marker with a segment, as libjpeg finds it: bytes between segments, fill bytes
# (FF), stuffed zeros, and the markers without a segment (TEM, RST0 to RST7) are skipped.
_MARKER = re.compile(rb'\xff([^\x00\x01\xd0-\xd7\xff])')
# Start-of-frame markers (ITU-T T.81, table B.1): C0 to CF without DHT, JPG and DAC.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# SOI, EOI, SOS: no start-of-frame marker may follow these.
_END_OF_SEARCH = frozenset({0xD8, 0xD9, 0xDA})
_MAX_SEGMENTS = 4096


def image_size(data: Bytes) -> tuple[int, int] | None:
    """
    Return (width, height) from the header of a JPEG or PNG image.

    :return: ``None`` if the format is another one, or the header is damaged or truncated.
    """
    if bytes(data[: len(_PNG_HEAD)]) == _PNG_HEAD:
        return _png_size(data)
    if bytes(data[: len(_JPEG_HEAD)]) == _JPEG_HEAD:
        return _jpeg_size(data)
    return None


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """
    Check that an image is not larger than the limit.

    :raises ImageError: if the image has more than ``max_pixels`` pixels.
    """
    if width * height > max_pixels:
        raise ImageError(
            f'The image is too large: {width}x{height} = {width * height} pixels; max_pixels '
            f'allows {max_pixels}. Resize the image, or raise max_pixels (node parameter '
            'max_pixels, command option --max-pixels). The network needs about 240 bytes of '
            'memory per pixel.'
        )


def _png_size(data: Bytes) -> tuple[int, int] | None:
    if len(data) < len(_PNG_HEAD) + 8:
        return None
    width, height = struct.unpack_from('>II', data, len(_PNG_HEAD))
    return width, height


def _jpeg_size(data: Bytes) -> tuple[int, int] | None:
    position = 2
    for _ in range(_MAX_SEGMENTS):
        found = _MARKER.search(data, position)
        if found is None or found[1][0] in _END_OF_SEARCH or found.end() + 7 > len(data):
            return None
        length, _precision, height, width = struct.unpack_from('>HBHH', data, found.end())
        if found[1][0] in _START_OF_FRAME:
            return width, height
        position = found.end() + max(2, length)
    return None
