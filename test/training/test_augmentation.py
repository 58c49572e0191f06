"""
Augmentation: annotations remain exact, and depth follows the focal length.

Each known error of other implementations has a test: a scale that means 1 + scale, interpolated
labels, depth that is not divided by the zoom, mirrored normals, padding in wrong units.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydranet_ros.errors import TrainingError
from hydranet_ros.network.hydranet import MEAN, STD
from hydranet_ros.training.augmentation import (
    AugmentationConfig,
    View,
    _place,
    augment,
    photometric,
)
from hydranet_ros.training.sample import Sample

FOCAL = 700.0


# No change, if the crop has the size of the sample.
STILL = {'scale': (1.0, 1.0), 'aspect': 0, 'mirror': False, 'photometric': 0}


def sample(height: int = 60, width: int = 80, *, depth: bool = True) -> Sample:
    """Return an image whose color is the class, with three values of depth."""
    labels = np.zeros((height, width), np.uint8)
    labels[:, width // 2 :] = 5
    labels[: height // 3] = 255
    image = np.stack([labels, labels, 255 - labels], -1)
    meters = np.where(labels == 5, 30, np.where(labels == 0, 10, 0)).astype(np.float32)
    return Sample(
        's', image, labels, meters if depth else None, focal_length=350.0 if depth else 0.0
    )


def faced(height: int = 60, width: int = 80) -> Sample:
    """Return the sample with normals: a left wall, a right wall, unknown in the upper third."""
    plain = sample(height, width)
    normals = np.zeros((height, width, 3), np.float32)
    normals[plain.labels == 0] = (0.8, 0.0, -0.6)
    normals[plain.labels == 5] = (-0.28, 0.0, -0.96)
    return dataclasses.replace(plain, normals=normals)


def zooms(config: AugmentationConfig, draws: int = 300) -> np.ndarray:
    """Return the divisor of depth of each view."""
    far = Sample(
        's', np.zeros((60, 80, 3), np.uint8), None, np.full((60, 80), 32, np.float32)
    )  # fmt: skip
    rng = np.random.default_rng(0)
    return np.array([32 / augment(far, rng, config, FOCAL).depth.max() for _ in range(draws)])


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
    """A point at 30 m with a focal length of 350 px looks like one at 60 m with 700 px."""
    config = AugmentationConfig(crop=(120, 160), scale=(zoom, zoom), aspect=0, photometric=0)
    view = augment(sample(), np.random.default_rng(0), config, FOCAL)
    assert view.depth.max() == pytest.approx(30 * FOCAL / (350 * zoom))
    assert view.depth.dtype == np.float32


@pytest.mark.parametrize('seed', range(6))
def test_image_and_annotations_have_the_same_geometry(seed: int) -> None:
    """Away from edges, the color of a pixel is its class."""
    config = AugmentationConfig(crop=(40, 60), scale=(1, 2), photometric=0)
    view = augment(sample(), np.random.default_rng(seed), config, FOCAL)
    for value in (0, 5, 255):
        inner = cv2.erode(np.uint8(view.labels == value), np.ones((5, 5))) > 0
        assert (np.abs(view.image[inner][:, 0].astype(int) - value) <= 8).all()
    near, far = view.depth[view.labels == 0], view.depth[view.labels == 5]
    assert not near.size or not far.size or near.max() < far.min()


def test_padding_is_unlabeled_and_has_unknown_depth() -> None:
    config = AugmentationConfig(crop=(120, 160), scale=(1, 1), aspect=0, photometric=0)
    view = augment(sample(), np.random.default_rng(0), config, FOCAL)
    assert (view.labels[:20] == 255).all()
    assert (view.depth[:20] == 0).all()


def test_a_sample_without_annotations_gives_unknown_annotations() -> None:
    bare = Sample('s', np.zeros((60, 80, 3), np.uint8))
    view = augment(bare, np.random.default_rng(0), AugmentationConfig(crop=(32, 32)), FOCAL)
    assert (view.labels == 255).all()
    assert (view.depth == 0).all()


def test_the_same_random_state_gives_the_same_view() -> None:
    config = AugmentationConfig(crop=(48, 64))
    one, two = (augment(sample(), np.random.default_rng(3), config, FOCAL) for _ in range(2))
    assert np.array_equal(one.image, two.image)
    assert np.array_equal(one.labels, two.labels)


def test_photometric_changes_the_light_but_not_the_type() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    seen = [photometric(image, np.random.default_rng(seed)) for seed in range(12)]
    assert all(out.dtype == np.uint8 and out.shape == image.shape for out in seen)
    means = [out.mean() for out in seen]
    assert max(means) - min(means) > 30


def test_the_zoom_is_within_the_scale() -> None:
    """The RandomScale of albumentations uses 1 + scale."""
    drawn = {
        law: zooms(AugmentationConfig((48, 64), (0.5, 2.0), law, photometric=0))
        for law in ('log', 'uniform')
    }
    for values in drawn.values():
        assert 0.5 <= values.min() < 0.53
        assert 1.9 < values.max() <= 2.0
    assert np.median(drawn['log']) == pytest.approx(1.0, abs=0.1)
    assert np.median(drawn['uniform']) == pytest.approx(1.25, abs=0.1)


def test_scale_probability_is_the_share_of_zoomed_views() -> None:
    config = AugmentationConfig((48, 64), (0.8, 2.0), 'uniform', 0.5, photometric=0)
    kept = zooms(config) == 1
    assert 0.4 < kept.mean() < 0.6


def test_the_shorter_side_has_its_minimum() -> None:
    config = AugmentationConfig((48, 64), (0.5, 2.0), 'uniform', shorter_side=54, photometric=0)
    values = zooms(config)
    assert values.min() == pytest.approx(54 / 60)
    assert values.max() > 1.9


@pytest.mark.parametrize(('own', 'trained'), [(0.0, FOCAL), (350.0, 0.0), (0.0, 0.0)])
def test_depth_of_an_unknown_camera_is_divided_only_by_the_zoom(
    own: float, trained: float
) -> None:
    config = AugmentationConfig((120, 160), (2.0, 2.0), aspect=0, photometric=0)
    unknown = dataclasses.replace(sample(), focal_length=own)
    view = augment(unknown, np.random.default_rng(0), config, trained)
    assert view.depth.max() == pytest.approx(15)


@pytest.mark.parametrize('seed', range(12))
def test_normals_are_not_interpolated_and_a_mirror_negates_their_x(seed: int) -> None:
    config = AugmentationConfig((48, 64), (0.7, 1.5), photometric=0)
    view = augment(faced(), np.random.default_rng(seed), config, FOCAL)
    turned = -1.0 if mirrored(view) else 1.0
    for label, normal in ((0, (0.8, 0, -0.6)), (5, (-0.28, 0, -0.96)), (255, (0, 0, 0))):
        expected = np.array(normal, np.float32) * (turned, 1, 1)
        found = view.normals[view.labels == label]
        assert np.array_equal(found, np.broadcast_to(expected, found.shape))
    assert view.normals.dtype == np.float32


def test_half_of_the_views_are_mirrored() -> None:
    config = AugmentationConfig((60, 80), (1.0, 1.0), aspect=0, photometric=0)
    rng = np.random.default_rng(0)
    share = np.mean([mirrored(augment(sample(), rng, config, FOCAL)) for _ in range(200)])
    assert 0.4 < share < 0.6


def mirrored(view: View) -> bool:
    """Return whether class 5 is to the left of class 0; in the sample it is to the right."""
    columns = [np.nonzero((view.labels == label).any(0))[0] for label in (0, 5)]
    if not all(len(found) for found in columns):
        pytest.fail('the crop of the test must contain both classes')
    return bool(columns[0].mean() > columns[1].mean())


@pytest.mark.parametrize('flip', [False, True])
def test_a_view_without_a_change_is_the_image(flip: bool) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8)
    still = dataclasses.replace(faced(), image=noise)
    config = AugmentationConfig((60, 80), **{**STILL, 'mirror': True})
    views = [augment(still, np.random.default_rng(seed), config, 350.0) for seed in range(20)]
    view = next(view for view in views if mirrored(view) == flip)
    step = -1 if flip else 1
    assert np.array_equal(view.image, noise[:, ::step])
    assert np.array_equal(view.labels, still.labels[:, ::step])
    assert np.array_equal(view.depth, still.depth[:, ::step])


def test_padding_is_zero_at_the_input_of_the_network_in_any_weather() -> None:
    config = AugmentationConfig((120, 160), (0.5, 0.9), adverse=0.5)
    rng = np.random.default_rng(0)
    for _ in range(40):
        view = augment(faced(), rng, config, FOCAL)
        border = np.concatenate([view.image[:30].reshape(-1, 3), view.image[-30:].reshape(-1, 3)])
        seen = (border / 255 - MEAN) / STD
        assert np.abs(seen).max() < 0.01
        assert (view.labels[:30] == 255).all()
        assert not view.depth[:30].any()
        assert not view.normals[:30].any()


@pytest.mark.parametrize('seed', range(10))
def test_padding_starts_at_the_border_of_the_image(seed: int) -> None:
    bright = Sample('s', np.full((60, 80, 3), 255, np.uint8), np.zeros((60, 80), np.uint8))
    config = AugmentationConfig((150, 200), (0.5, 2.0), photometric=0)
    view = augment(bright, np.random.default_rng(seed), config, FOCAL)
    is_padding = (view.image == config.pad_value).all(-1)
    # Pixels at the border may belong to either.
    border = cv2.morphologyEx(np.uint8(view.labels == 0), cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0
    assert np.array_equal(is_padding[~border], (view.labels == 255)[~border])


def test_adverse_is_the_share_of_views_under_a_corruption() -> None:
    config = AugmentationConfig((60, 80), **STILL, adverse=0.3)
    plain, rng = sample(), np.random.default_rng(0)
    views = [augment(plain, rng, config, FOCAL) for _ in range(300)]
    clear = np.mean([np.array_equal(view.image, plain.image) for view in views])
    assert 0.62 < clear < 0.78
    assert all(np.array_equal(view.labels, plain.labels) for view in views)


def test_weather_uses_the_true_distance() -> None:
    config = AugmentationConfig((60, 80), **STILL, adverse=0.5)

    def images(depth: float, trained: float) -> list[np.ndarray]:
        flat = dataclasses.replace(sample(), depth=np.full((60, 80), depth, np.float32))
        return [
            augment(flat, np.random.default_rng(seed), config, trained).image for seed in range(40)
        ]

    base = images(30, FOCAL)
    assert all(np.array_equal(a, b) for a, b in zip(base, images(30, FOCAL / 10)))
    changed = sum(not np.array_equal(a, b) for a, b in zip(base, images(300, FOCAL)))
    assert changed >= 5, 'fog, rain and snow should differ with distance'


def test_a_sample_is_not_modified() -> None:
    config = AugmentationConfig((60, 80), (1.0, 1.0), aspect=0, adverse=0.5)
    given = faced()
    before = [array.copy() for array in (given.image, given.labels, given.depth, given.normals)]
    rng = np.random.default_rng(0)
    for _ in range(30):
        view = augment(given, rng, config, FOCAL)
        for array in (view.image, view.labels, view.depth, view.normals):
            array[...] = 7
    after = (given.image, given.labels, given.depth, given.normals)
    assert all(np.array_equal(a, b) for a, b in zip(before, after))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'crop': (0, 64)}, r'crop is \(0, 64\); allowed: two positive'),
        ({'scale': (2.0, 0.5)}, 'scale is .*smallest and largest'),
        ({'scale': (0.0, 0.5)}, 'scale is'),
        ({'scale_probability': 1.5}, 'scale_probability'),
        ({'shorter_side': -1}, 'shorter_side'),
        ({'aspect': -0.1}, 'aspect'),
        ({'adverse': 0.7}, 'adverse is 0.7; allowed: 0 to 0.5'),
        ({'photometric': -1}, 'photometric'),
        ({'pad_value': (300, 0, 0)}, 'pad_value'),
    ],
)
def test_a_value_out_of_its_range_is_an_error(changes, message) -> None:
    with pytest.raises(TrainingError, match=message):
        AugmentationConfig(**changes)


@pytest.mark.parametrize('seed', range(6))
def test_the_vanishing_point_follows_the_view(seed: int) -> None:
    """A bright dot marks the center of the image."""
    image = np.zeros((121, 161, 3), np.uint8)
    image[60, 80] = 255
    config = AugmentationConfig((121, 161), (0.8, 1.2), adverse=0)
    place = _place((121, 161), config, np.random.default_rng(seed))
    seen = place.warp(image, (0, 0, 0))[..., 0].astype(float)
    y, x = (float((axis * seen).sum() / seen.sum()) for axis in np.mgrid[:121, :161])
    camera = place.camera(Sample('s', image, focal_length=500.0))
    assert camera.vanishing_x == pytest.approx(x, abs=0.8)
    assert camera.horizon == pytest.approx(y, abs=0.8)
    assert camera.focal_length == pytest.approx(500 * place.zoom)


@settings(max_examples=150, deadline=None)
@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    crop=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    scale=st.tuples(st.floats(0.05, 4), st.floats(0.05, 4)).map(lambda pair: tuple(sorted(pair))),
    shorter_side=st.integers(0, 80),
    seed=st.integers(0, 2**32),
)
def test_any_size_crop_and_scale_gives_only_values_of_the_sample(
    size, crop, scale, shorter_side, seed
) -> None:
    config = AugmentationConfig(crop, scale, shorter_side=shorter_side, adverse=0.5)
    given_sample = faced(*size)
    view = augment(given_sample, np.random.default_rng(seed), config, FOCAL)
    assert view.image.shape == view.normals.shape == (*crop, 3)
    assert view.labels.shape == view.depth.shape == crop
    assert set(np.unique(view.labels)) <= {0, 5, 255}
    lengths = np.linalg.norm(view.normals, axis=-1)
    assert ((lengths == 0) | (np.abs(lengths - 1) < 1e-5)).all()
    assert np.array_equal(view.depth > 0, view.labels != 255)
    assert np.array_equal(lengths > 0, view.labels != 255)
