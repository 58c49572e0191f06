"""The part of an image whose depth counts."""

from __future__ import annotations

import pytest

from hydranet_ros.errors import DatasetError
from hydranet_ros.training.evaluation.crops import CROPS, crop_window


@pytest.mark.parametrize(('crop', 'size', 'expected'), [
    ('none', (375, 1242), (0, 375, 0, 1242)),
    ('garg', (375, 1242), (153, 371, 44, 1197)),
    ('eigen', (375, 1242), (124, 342, 44, 1197)),
    ('kb', (375, 1242), (23, 375, 13, 1229)),
    ('kb', (370, 1226), (18, 370, 5, 1221)),
    ('kb', (352, 1216), (0, 352, 0, 1216)),
    ('nyu_eigen', (480, 640), (45, 471, 41, 601)),
])  # fmt: skip
def test_crops_are_those_of_the_protocols(crop: str, size: tuple[int, int], expected: tuple):
    rows, columns = crop_window(crop, *size)
    assert (rows.start, rows.stop, columns.start, columns.stop) == expected


@pytest.mark.parametrize(('crop', 'size'), [
    ('kb', (360, 480)), ('kb', (351, 1216)), ('kb', (352, 1215)), ('nyu_eigen', (375, 1242)),
    ('nyu_eigen', (640, 480)),
])  # fmt: skip
def test_a_crop_that_does_not_fit_is_refused_with_the_size(crop: str, size: tuple[int, int]):
    with pytest.raises(DatasetError, match=f'{crop}.*{size[1]}x{size[0]}'):
        crop_window(crop, *size)


def test_an_unknown_crop_is_refused_with_the_known_ones():
    with pytest.raises(DatasetError, match=', '.join(CROPS)):
        crop_window('center', 10, 10)
