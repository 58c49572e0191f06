"""The part of an image whose depth counts, by protocol."""

from __future__ import annotations

from hydranet_ros.errors import DatasetError

Window = tuple[slice, slice]

# top, bottom, left, right as fractions of the image (monodepth2's and BTS' evaluation code).
_GARG = (0.40810811, 0.99189189, 0.03594771, 0.96405229)
_EIGEN = (0.3324324, 0.91351351, 0.0359477, 0.96405229)
_KB_SIZE = (352, 1216)
_NYU_SIZE = (480, 640)
_NYU = (slice(45, 471), slice(41, 601))

CROPS = ('none', 'garg', 'eigen', 'kb', 'nyu_eigen')


def crop_window(crop: str, height: int, width: int) -> Window:
    """
    Return the rows and columns that count.

    A crop limits the pixels that count; the network still sees the whole image. BTS' option
    ``kb`` also crops the network's input.

    :param crop: one of :data:`CROPS`.
    :raises DatasetError: if the crop is unknown or does not fit images of this size.
    """
    if crop == 'none':
        return slice(0, height), slice(0, width)
    if crop in ('garg', 'eigen'):
        top, bottom, left, right = _GARG if crop == 'garg' else _EIGEN
        rows = slice(int(top * height), int(bottom * height))
        return rows, slice(int(left * width), int(right * width))
    if crop == 'kb':
        _require(height >= _KB_SIZE[0] and width >= _KB_SIZE[1], crop, height, width,
                 'at least 1216x352')  # fmt: skip
        left_margin = int((width - _KB_SIZE[1]) / 2)
        return slice(height - _KB_SIZE[0], height), slice(left_margin, left_margin + _KB_SIZE[1])
    if crop == 'nyu_eigen':
        _require((height, width) == _NYU_SIZE, crop, height, width, 'exactly 640x480')
        return _NYU
    raise DatasetError(f'Crop {crop!r} is unknown; allowed: {", ".join(CROPS)}.')


def _require(fits: bool, crop: str, height: int, width: int, allowed: str) -> None:
    if not fits:
        raise DatasetError(
            f'Crop {crop!r} needs images of {allowed}; got {width}x{height}. Choose another crop '
            'with --crop.'
        )
