"""The adverse set: deterministic, graded, and fog by the law of its physics."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from hydranet_ros.errors import TrainingError
from hydranet_ros.training.adverse import CORRUPTIONS, SEVERITIES, corrupt


def street(height: int = 90, width: int = 120) -> np.ndarray:
    """Return a picture with sky, house fronts, a road and fine texture."""
    rng = np.random.default_rng(0)
    image = np.full((height, width, 3), (150, 160, 175), np.uint8)
    image[height // 4 :, : width // 3] = (120, 80, 60)
    image[height // 4 :, -width // 3 :] = (90, 110, 70)
    image[height // 2 :] = (80, 82, 85)
    return cv2.add(image, rng.integers(0, 25, image.shape, np.uint8))


@pytest.mark.parametrize('name', CORRUPTIONS)
@pytest.mark.parametrize('severity', SEVERITIES)
def test_the_same_random_state_gives_the_same_image_and_the_input_stays(name, severity) -> None:
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
def test_every_size_of_image_passes(name: str, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    for severity in SEVERITIES:
        assert corrupt(image, name, severity, np.random.default_rng(0)).shape == image.shape


def test_an_unknown_name_or_severity_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(TrainingError, match='hail.*night, rain'):
        corrupt(street(), 'hail', 3, np.random.default_rng(0))
    with pytest.raises(TrainingError, match='Severity 6.*1 to 5'):
        corrupt(street(), 'fog', 6, np.random.default_rng(0))


def test_real_images_lose_more_the_higher_the_severity(data_dir: Path) -> None:
    """Needs the folder of real images."""
    bgr = cv2.imread(str(data_dir / 'kitti/000099.png'))
    image = cv2.cvtColor(cv2.resize(bgr, (480, 144)), cv2.COLOR_BGR2RGB)
    for name in CORRUPTIONS:
        lost = [
            np.mean([cv2.norm(corrupt(image, name, s, np.random.default_rng(i)), image)
                     for i in range(6)])
            for s in SEVERITIES
        ]  # fmt: skip
        assert lost == sorted(lost), f'{name}: {lost}'
