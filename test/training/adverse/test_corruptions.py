"""All corruptions: reproducible, graded by severity, for every image size."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from adverse_tools import street

from hydranet_ros.errors import TrainingError
from hydranet_ros.training.adverse import CORRUPTIONS, SEVERITIES, corrupt


@pytest.mark.parametrize('name', CORRUPTIONS)
@pytest.mark.parametrize('severity', SEVERITIES)
def test_a_corruption_is_reproducible_and_does_not_modify_its_input(name, severity) -> None:
    image = street()
    before = image.copy()
    one, two = (corrupt(image, name, severity, np.random.default_rng(5)) for _ in range(2))
    other = corrupt(image, name, severity, np.random.default_rng(6))
    assert one.dtype == np.uint8 and one.shape == image.shape
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, before)
    assert np.array_equal(image, before)


@pytest.mark.parametrize('name', CORRUPTIONS)
@pytest.mark.parametrize('size', [(1, 1), (7, 5), (16, 33), (64, 400)])
def test_images_of_every_size_are_accepted(name: str, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    for severity in SEVERITIES:
        assert corrupt(image, name, severity, np.random.default_rng(0)).shape == image.shape


def test_an_unknown_name_or_severity_is_an_error() -> None:
    with pytest.raises(TrainingError, match='hail.*night, rain'):
        corrupt(street(), 'hail', 3, np.random.default_rng(0))
    with pytest.raises(TrainingError, match='Severity 6.*1 to 5'):
        corrupt(street(), 'fog', 6, np.random.default_rng(0))


def test_a_real_image_changes_more_with_each_severity(data_dir: Path) -> None:
    bgr = cv2.imread(str(data_dir / 'kitti/000099.png'))
    image = cv2.cvtColor(cv2.resize(bgr, (480, 144)), cv2.COLOR_BGR2RGB)
    for name in CORRUPTIONS:
        lost = [
            np.mean([cv2.norm(corrupt(image, name, s, np.random.default_rng(i)), image)
                     for i in range(6)])
            for s in SEVERITIES
        ]  # fmt: skip
        assert lost == sorted(lost), f'{name}: {lost}'


def test_a_read_only_image_is_accepted() -> None:
    image = street()
    image.flags.writeable = False
    depth = np.full(image.shape[:2], 20, np.float32)
    depth.flags.writeable = False
    for name in CORRUPTIONS:
        corrupt(image, name, 5, np.random.default_rng(0), depth)
