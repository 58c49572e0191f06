"""The check of a data set before training."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from dataset_tools import opened

from hydranet_ros.errors import DatasetError
from hydranet_ros.training.data.check import check_dataset
from hydranet_ros.training.sample import Sample


def test_the_check_counts_samples_and_pixels(labeled: Path) -> None:
    (labeled / 'labels/3.png').unlink()
    seen: list[tuple[int, int]] = []
    samples = opened('folder', labeled)
    contents = check_dataset(samples, 6, lambda done, total: seen.append((done, total)))
    assert (contents.images, contents.labels, contents.depth) == (4, 3, 0)
    assert contents.class_pixels.tolist() == [24, 24, 24, 0, 0, 0]
    assert contents.depth_range == (0, 0)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_up_to_five_files_with_errors_are_named(labeled: Path) -> None:
    for index in range(4):
        (labeled / f'labels/{index}.png').unlink()
        cv2.imwrite(str(labeled / f'labels/{index}.png'), np.zeros((4, 5), np.uint8))
    for index in range(4, 8):
        cv2.imwrite(str(labeled / f'images/{index}.png'), np.zeros((4, 6, 3), np.uint8))
        cv2.imwrite(str(labeled / f'labels/{index}.png'), np.full((4, 6), 77, np.uint8))
    with pytest.raises(DatasetError) as caught:
        check_dataset(opened('folder', labeled), 6)
    text = str(caught.value)
    assert text.startswith('8 of 8 samples have errors:')
    assert all(str(labeled / f'labels/{index}.png') in text for index in range(5))
    assert 'class ids [77]; allowed: 0..5' in text
    assert text.endswith('... and 3 more')


def test_an_id_outside_the_classes_of_the_network_is_an_error(labeled: Path) -> None:
    samples = opened('folder', labeled)
    with pytest.raises(DatasetError, match=r'labels/3\.png has the class ids \[3\].*0\.\.2'):
        check_dataset(samples, 3)
    assert check_dataset(samples, 0).labels == 4, 'without segmentation labels do not matter'


def test_a_set_without_labeled_pixels_is_an_error(labeled: Path) -> None:
    for index in range(4):
        cv2.imwrite(str(labeled / f'labels/{index}.png'), np.full((4, 6), 255, np.uint8))
    with pytest.raises(DatasetError, match='No label image has a labeled pixel'):
        check_dataset(opened('folder', labeled), 6)


def test_samples_in_a_list_are_checked_too() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    with pytest.raises(DatasetError, match='is empty'):
        check_dataset([], 6)
    assert check_dataset([Sample('a', image)], 6).images == 1
    with pytest.raises(DatasetError, match=r'a \(depth\).*\(4, 6\).*\(4, 5\)'):
        check_dataset([Sample('a', image, depth=np.ones((4, 5), np.float32))], 6)
    for value in (-1, np.nan, np.inf):
        with pytest.raises(DatasetError, match='a: depth must be 0'):
            check_dataset([Sample('a', image, depth=np.full((4, 6), value, np.float32))], 6)
