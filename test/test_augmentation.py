"""Augmentation: annotations stay exact, and depth follows the focal length."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hydranet_ros.training.augmentation import AugmentationConfig, augment, photometric
from hydranet_ros.training.sample import Sample

FOCAL = 700.0


def sample(height: int = 60, width: int = 80, *, depth: bool = True) -> Sample:
    """Return an image whose colour says the class, and whose depth is one of three values."""
    labels = np.zeros((height, width), np.uint8)
    labels[:, width // 2 :] = 5
    labels[: height // 3] = 255
    image = np.stack([labels, labels, 255 - labels], -1)
    metres = np.where(labels == 5, 30, np.where(labels == 0, 10, 0)).astype(np.float32)
    return Sample(
        's', image, labels, metres if depth else None, focal_length=350.0 if depth else 0.0
    )


@pytest.mark.parametrize('seed', range(8))
def test_labels_and_depth_are_never_interpolated(seed: int) -> None:
    config = AugmentationConfig(crop=(48, 64), scale=(0.5, 2.0), photometric=0)
    view = augment(sample(), np.random.default_rng(seed), config, FOCAL)
    assert set(np.unique(view.labels)) <= {0, 5, 255}
    assert len(np.unique(view.depth)) <= 3
    assert view.image.shape == (48, 64, 3)
    assert view.labels.shape == view.depth.shape == (48, 64)


@pytest.mark.parametrize('zoom', [0.5, 1.0, 2.0])
def test_depth_is_divided_by_the_zoom_and_scaled_to_the_training_camera(zoom: float) -> None:
    """A point at 30 m seen with 350 px looks as one at 60 m does with 700 px."""
    config = AugmentationConfig(crop=(120, 160), scale=(zoom, zoom), aspect=0, photometric=0)
    view = augment(sample(), np.random.default_rng(0), config, FOCAL)
    assert view.depth.max() == pytest.approx(30 * FOCAL / (350 * zoom))
    assert view.depth.dtype == np.float32


@pytest.mark.parametrize('seed', range(6))
def test_image_and_annotations_move_together(seed: int) -> None:
    """Away from edges, the class that the colour tells is the class of the mask."""
    config = AugmentationConfig(crop=(40, 60), scale=(1, 2), photometric=0)
    view = augment(sample(), np.random.default_rng(seed), config, FOCAL)
    for value in (0, 5, 255):
        inner = cv2.erode(np.uint8(view.labels == value), np.ones((5, 5))) > 0
        assert (np.abs(view.image[inner][:, 0].astype(int) - value) <= 8).all()
    near, far = view.depth[view.labels == 0], view.depth[view.labels == 5]
    assert not near.size or not far.size or near.max() < far.min()


def test_what_lies_outside_the_image_is_unlabelled_and_of_unknown_depth() -> None:
    config = AugmentationConfig(crop=(120, 160), scale=(1, 1), aspect=0, photometric=0)
    view = augment(sample(), np.random.default_rng(0), config, FOCAL)
    assert (view.labels[:20] == 255).all()
    assert (view.depth[:20] == 0).all()


def test_a_sample_without_annotation_becomes_a_view_without() -> None:
    bare = Sample('s', np.zeros((60, 80, 3), np.uint8))
    view = augment(bare, np.random.default_rng(0), AugmentationConfig(crop=(32, 32)), FOCAL)
    assert (view.labels == 255).all()
    assert (view.depth == 0).all()


def test_the_same_random_state_gives_the_same_view() -> None:
    config = AugmentationConfig(crop=(48, 64))
    one, two = (augment(sample(), np.random.default_rng(3), config, FOCAL) for _ in range(2))
    assert np.array_equal(one.image, two.image)
    assert np.array_equal(one.labels, two.labels)


def test_photometric_changes_light_but_keeps_the_type() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    seen = [photometric(image, np.random.default_rng(seed)) for seed in range(12)]
    assert all(out.dtype == np.uint8 and out.shape == image.shape for out in seen)
    means = [out.mean() for out in seen]
    assert max(means) - min(means) > 30
