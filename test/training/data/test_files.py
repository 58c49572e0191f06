"""Files of data sets: decoding, and errors that name the file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from dataset_tools import opened

from hydranet_ros.errors import DatasetError
from hydranet_ros.training.data import files
from hydranet_ros.training.data.check import check_dataset


@pytest.mark.parametrize('ending', ['.png', '.jpg'])
@pytest.mark.parametrize('size', [(1, 1), (375, 1242), (17, 260)])
def test_the_size_of_an_image_is_read_from_its_header(
    tmp_path: Path, ending: str, size: tuple[int, int]
) -> None:
    path = tmp_path / f'a{ending}'
    cv2.imwrite(str(path), np.zeros((*size, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    assert files.image_size(path) == size


@pytest.mark.parametrize('data', [b'not an image', b''])
def test_a_file_that_is_not_an_image_is_an_error(camvid: Path, data: bytes) -> None:
    (camvid / 'train/images/a.jpg').write_bytes(data)
    with pytest.raises(DatasetError, match=r'a\.jpg cannot be decoded'):
        check_dataset(opened('camvid', camvid), 6)


@pytest.mark.parametrize('name', ['images/a.jpg', 'labels/a.png'])
def test_a_truncated_file_is_an_error(camvid: Path, name: str) -> None:
    path = camvid / 'train' / name
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DatasetError, match=rf'{name} is truncated'):
        check_dataset(opened('camvid', camvid), 6)


def test_labels_of_another_size_are_an_error(camvid: Path) -> None:
    cv2.imwrite(str(camvid / 'train/labels/a.png'), np.zeros((4, 5), np.uint8))
    with pytest.raises(DatasetError, match=r'labels/a\.png.*\(4, 12\).*\(4, 5\)'):
        check_dataset(opened('camvid', camvid), 6)


def test_a_color_image_instead_of_class_ids_is_an_error(camvid: Path) -> None:
    cv2.imwrite(str(camvid / 'train/labels/a.png'), np.zeros((4, 12, 3), np.uint8))
    with pytest.raises(DatasetError, match=r'a\.png.*\(4, 12, 3\).*class ids'):
        check_dataset(opened('camvid', camvid), 6)


@pytest.mark.parametrize('shape', [(4, 6), (4, 6, 3)])
def test_8_bit_depth_is_an_error(scenes: Path, shape: tuple[int, ...]) -> None:
    cv2.imwrite(str(scenes / '000.depth.png'), np.zeros(shape, np.uint8))
    with pytest.raises(DatasetError, match=r'000\.depth\.png is uint8.*uint16'):
        check_dataset(opened('scenes', scenes), 6)


def test_16_bit_depth_with_three_channels_is_an_error(scenes: Path) -> None:
    cv2.imwrite(str(scenes / '000.depth.png'), np.ones((4, 6, 3), np.uint16))
    with pytest.raises(DatasetError, match=r'000\.depth\.png is uint16 with shape \(4, 6, 3\)'):
        check_dataset(opened('scenes', scenes), 6)
