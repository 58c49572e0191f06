"""The adverse set: deterministic, graded, and fog by the law of its physics."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from hydranet_ros.errors import TrainingError
from hydranet_ros.training.adverse import CORRUPTIONS, SEVERITIES, StreetCamera, corrupt
from hydranet_ros.training.adverse.layout import fill_depth, street_depth, default_camera
from hydranet_ros.training.adverse.lens import line_kernel
from hydranet_ros.training.adverse.pixels import normal_noise


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


def flat(value: int, height: int = 120, width: int = 160) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


@pytest.mark.parametrize('severity', SEVERITIES)
def test_fog_swallows_light_exponentially_with_the_depth_given(severity: int) -> None:
    """Koschmieder's law, its extinction within the stated fifth, and equal at equal depth."""
    extinction = (0.013, 0.02, 0.03, 0.045, 0.07)[severity - 1]
    depth = np.full((120, 160), 1e6, np.float32)  # beyond is nothing but airlight
    depth[:, :60], depth[:, 60:120] = 10, 25
    seen = corrupt(flat(20), 'fog', severity, np.random.default_rng(1), depth).astype(float)
    airlight = seen[:, 130:].mean()
    assert seen[:, 130:].std(axis=(0, 1)).max() < 1
    for column, metres in ((30, 10), (90, 25)):
        left = (airlight - seen[:, column]) / (airlight - 20)
        found = -np.log(left).mean(-1) / metres
        assert 0.75 * extinction < found.min() and found.max() < 1.25 * extinction


def test_sky_without_depth_is_far_and_ground_without_depth_is_not() -> None:
    depth = np.full((120, 160), 40, np.float32)
    depth[:30] = 0  # sky, as scenes and KITTI leave it
    depth[110:] = 0  # our own bonnet
    seen = corrupt(flat(20), 'fog', 3, np.random.default_rng(1), depth).astype(float)
    assert seen[:28].mean() > seen[40:100].mean() + 20
    assert seen[113:].mean() < seen[40:100].mean() - 20


def test_gaps_of_a_lidar_are_filled_from_around_and_those_of_a_room_are_no_sky() -> None:
    rng = np.random.default_rng(0)
    camera = default_camera(120, 160)
    stand_in = street_depth((120, 160), camera)
    truth = np.repeat(np.linspace(60, 30, 160, dtype=np.float32)[None], 120, 0)
    sparse = np.where(rng.random(truth.shape) < 0.05, truth, 0).astype(np.float32)
    filled = fill_depth(sparse, stand_in, camera.horizon)
    assert (filled > 0).all()
    assert np.abs(filled / truth - 1).mean() < 0.05
    room = np.where(rng.random(truth.shape) < 0.7, truth / 10, 0).astype(np.float32)
    assert fill_depth(room, stand_in, camera.horizon).max() < 6.5
    assert np.array_equal(fill_depth(np.zeros_like(room), stand_in, 60), stand_in)


def test_the_stand_in_is_flat_ground_between_walls_under_a_far_sky() -> None:
    camera = StreetCamera(vanishing_x=200.0, horizon=100.0, focal_length=400.0)
    depth = street_depth((240, 400), camera)
    for row in (160, 200, 230):  # 1.5 m above ground
        assert depth[row, 200] == pytest.approx(400 * 1.5 / (row + 0.5 - 100), rel=0.1)
    assert depth[100, 390] == pytest.approx(400 * 10 / 190, rel=0.1)
    assert depth[10, 200] > 200
    lower = street_depth((240, 400), StreetCamera(200.0, 148.0, 400.0))
    assert np.allclose(lower[112:176], depth[64:128], rtol=0.05)


def test_without_depth_fog_thickens_where_the_street_vanishes() -> None:
    """The vanishing point is told, as for a crop of an image it is not in the middle."""
    camera = StreetCamera(vanishing_x=40.0, horizon=30.0, focal_length=160.0)
    seen = corrupt(flat(20), 'fog', 2, np.random.default_rng(0), camera=camera).astype(float)
    assert seen[25:35, 35:45].mean() > seen[25:35, 120:].mean() + 30
    assert seen[25:35, 35:45].mean() > seen[100:, 35:45].mean() + 30


def test_noise_at_night_grows_with_the_light_as_photons_do() -> None:
    image = flat(60, 200, 200)
    image[:, 100:] = 220
    rng = np.random.default_rng(0)
    seen = [corrupt(image, 'night', 2, rng).astype(float) for _ in range(8)]
    dark, bright = (
        np.mean([np.diff(view[120:, part, 1], axis=0).var() / 2 for view in seen])
        for part in (slice(0, 90), slice(110, 200))
    )
    level = np.mean([view[120:, 110:, 1].mean() - view[120:, :90, 1].mean() for view in seen])
    assert bright - dark == pytest.approx(level * 255 / 350, rel=0.3)


def test_night_is_dark_and_its_sky_darker_than_light_walls_below() -> None:
    seen = corrupt(flat(200), 'night', 3, np.random.default_rng(0)).astype(float)
    assert seen.mean() < 90
    assert np.median(seen[:30]) < np.median(seen[110:])


@pytest.mark.parametrize('length', [1.0, 4.0, 13.0, 24.5])
@pytest.mark.parametrize('angle', [0.0, 0.4, -0.7])
def test_a_smear_keeps_the_light_and_is_as_long_and_tilted_as_asked(length, angle) -> None:
    kernel = line_kernel(length, angle).astype(float)
    assert kernel.sum() == pytest.approx(1)
    assert kernel.min() >= 0
    assert kernel.shape[0] % 2 == kernel.shape[1] % 2 == 1
    y, x = np.mgrid[: kernel.shape[0], : kernel.shape[1]] - (
        (np.array(kernel.shape) - 1) / 2
    ).reshape(2, 1, 1)
    assert (kernel * x).sum() == pytest.approx(0, abs=0.02)
    assert (kernel * y).sum() == pytest.approx(0, abs=0.02)
    along = x * np.cos(angle) - y * np.sin(angle)  # image rows grow downwards
    across = x * np.sin(angle) + y * np.cos(angle)
    # A line's variance is its length squared / 12; sharing among pixels adds less than 1/3.
    assert (kernel * along**2).sum() == pytest.approx((length - 1) ** 2 / 12, rel=0.1, abs=0.4)
    assert (kernel * across**2).sum() < 0.4


def test_glare_is_saturated_somewhere_and_veils_the_rest() -> None:
    image = flat(60, 180, 240)
    for seed in range(5):
        seen = corrupt(image, 'glare', 4, np.random.default_rng(seed)).astype(float)
        assert (seen[..., 0] == 255).mean() > 0.005
        assert seen[-20:].mean() > 70


@pytest.mark.parametrize('name', ['rain', 'snow', 'motion_blur'])
def test_what_falls_and_smears_grows_with_the_image(name: str) -> None:
    """At twice the size the same severity hides as much: half an octave is allowed."""
    small = cv2.GaussianBlur(street(180, 240), (0, 0), 1)
    large = cv2.resize(small, (480, 360), interpolation=cv2.INTER_CUBIC)

    def lost(image: np.ndarray) -> float:
        views = [corrupt(image, name, 3, np.random.default_rng(seed)) for seed in range(4)]
        return float(np.mean([cv2.absdiff(view, image).mean() for view in views]))

    assert 0.7 < lost(large) / lost(small) < 1.4


def test_noise_has_mean_0_and_deviation_1_and_repeats() -> None:
    noise = normal_noise((300, 300, 3), np.random.default_rng(0))
    assert noise.shape == (300, 300, 3)
    assert noise.dtype == np.float32
    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert noise.std() == pytest.approx(1, abs=0.01)
    assert np.array_equal(noise, normal_noise((300, 300, 3), np.random.default_rng(0)))


def test_an_image_that_may_not_be_written_to_is_taken() -> None:
    image = street()
    image.flags.writeable = False
    depth = np.full(image.shape[:2], 20, np.float32)
    depth.flags.writeable = False
    for name in CORRUPTIONS:
        corrupt(image, name, 5, np.random.default_rng(0), depth)
