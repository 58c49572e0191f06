"""Rays and projection are inverse to each other and agree with OpenCV."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hydranet_ros.camera.model import CameraModel, depth_to_points, pixel_rays, project, unproject
from hydranet_ros.errors import CameraError

LENSES = {
    'pinhole': ('', ()),
    'plumb_bob 4': ('plumb_bob', (-0.28, 0.07, 1e-3, -7e-4)),
    'plumb_bob 5': ('plumb_bob', (-0.3, 0.12, 1e-3, -7e-4, -0.02)),
    'pincushion': ('plumb_bob', (0.2, 0.05, -1e-3, 5e-4, 0.0)),
    'rational': ('rational_polynomial', (0.3, -0.1, 1e-3, 5e-4, 0.02, 0.6, -0.1, 0.03)),
    'thin prism': (
        'rational_polynomial',
        (0.3, -0.1, 1e-3, 5e-4, 0.02, 0.6, -0.1, 0.03, 1e-3, -5e-4, 2e-3, 1e-4),
    ),
    'tilted': (
        'rational_polynomial',
        (0.3, -0.1, 1e-3, 5e-4, 0.02, 0.6, -0.1, 0.03, 1e-3, -5e-4, 2e-3, 1e-4, 0.01, -0.02),
    ),
    'fisheye': ('equidistant', (-0.02, 0.005, -0.003, 5e-4)),
    'ideal fisheye': ('equidistant', (0.0, 0.0, 0.0, 0.0)),
}


def camera(lens: str, focal: float = 380.0) -> CameraModel:
    model, coefficients = LENSES[lens]
    return CameraModel(640, 480, focal, focal * 1.01, 322.3, 237.6, model, coefficients)


def grid(model: CameraModel, step: int = 7) -> np.ndarray:
    u, v = np.meshgrid(np.arange(0, model.width, step), np.arange(0, model.height, step))
    return np.stack([u, v], -1).astype(float)


def lifted(rays: np.ndarray, depth: float = 1.0) -> np.ndarray:
    return np.concatenate([rays, np.ones((*rays.shape[:-1], 1))], -1) * depth


@pytest.mark.parametrize('lens', LENSES)
def test_unprojecting_and_projecting_restores_pixels_to_a_millionth_of_a_pixel(lens: str):
    model = camera(lens)
    pixels = grid(model)
    rays = unproject(pixels, model)
    known = np.isfinite(rays).all(-1)
    assert known.mean() > 0.85
    assert np.abs(project(lifted(rays, 3.7), model) - pixels)[known].max() < 1e-6


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(['plumb_bob', 'rational_polynomial', 'equidistant']),
    values=st.lists(st.floats(-0.4, 0.4), min_size=8, max_size=8),
    focal=st.floats(150, 2000), u=st.floats(0, 639), v=st.floats(0, 479),
)  # fmt: skip
def test_a_ray_projects_onto_its_pixel_for_any_lens(name, values, focal, u, v):
    values[2:4] = [values[2] / 40, values[3] / 40]
    count = {'plumb_bob': 5, 'rational_polynomial': 8, 'equidistant': 4}[name]
    model = CameraModel(640, 480, focal, focal, 320, 240, name, tuple(values[:count]))
    ray = unproject(np.array([u, v]), model)
    if np.isfinite(ray).all():
        assert np.abs(project(lifted(ray), model) - (u, v)).max() < 1e-4


@settings(max_examples=60, deadline=None)
@given(lens=st.sampled_from(list(LENSES)), x=st.floats(-0.6, 0.6), y=st.floats(-0.5, 0.5))
def test_projecting_and_unprojecting_restores_the_ray(lens: str, x: float, y: float):
    model = camera(lens)
    assume(math.hypot(x, y) < 0.7)
    back = unproject(project(np.array([x, y, 1.0]), model), model)
    np.testing.assert_allclose(back, (x, y), atol=1e-8)


@pytest.mark.parametrize('lens', [name for name in LENSES if name != 'pinhole'])
def test_projection_agrees_with_opencv(lens: str):
    model = camera(lens)
    points = np.random.default_rng(1).uniform((-1, -0.8, 1.5), (1, 0.8, 6), (200, 3))
    matrix, zero = np.array(model.k).reshape(3, 3), np.zeros(3)
    if model.distortion_model == 'equidistant':
        coefficients = np.array(LENSES[lens][1])
        want, _ = cv2.fisheye.projectPoints(points[None], zero, zero, matrix, coefficients)
    else:
        want, _ = cv2.projectPoints(points, zero, zero, matrix, np.array(model.distortion))
    assert np.abs(project(points, model) - want.reshape(-1, 2)).max() < 1e-8


def test_an_equidistant_lens_with_zero_coefficients_is_not_a_pinhole():
    model = camera('ideal fisheye')
    edge = unproject(np.array([model.cx + model.fx, model.cy]), model)
    assert edge[0] == pytest.approx(math.tan(1.0))


def test_pixels_beyond_the_fold_of_a_lens_have_no_ray():
    """r (1 - 0.5 r^2) has its maximum, 0.544, at r = 0.816; no ray reaches a larger radius."""
    model = CameraModel(640, 480, 400, 400, 320, 240, 'plumb_bob', (-0.5, 0, 0, 0, 0))
    rays = pixel_rays(model)
    seen = np.isfinite(rays).all(-1)
    v, u = np.mgrid[0:480, 0:640]
    radius = np.hypot(u - 320, v - 240) / 400
    assert seen[radius < 0.54].all()
    assert not seen[radius > 0.546].any()
    assert np.nanmax(np.hypot(rays[..., 0], rays[..., 1])) <= 0.8166


def test_fisheye_pixels_at_ninety_degrees_and_more_have_no_ray():
    model = CameraModel(800, 800, 200, 200, 400, 400, 'equidistant', (0.0,) * 4)
    rays = pixel_rays(model)
    v, u = np.mgrid[0:800, 0:800]
    angle = np.hypot(u - 400, v - 400) / 200
    assert np.isnan(rays[angle > math.pi / 2]).all()
    assert np.isfinite(rays[angle < math.radians(89)]).all()


def test_rays_are_float32_on_the_pixel_grid_with_every_nth_pixel_for_a_stride():
    model = camera('plumb_bob 5')
    rays = pixel_rays(model)
    assert rays.shape == (480, 640, 2) and rays.dtype == np.float32
    np.testing.assert_array_equal(pixel_rays(model, 3), rays[::3, ::3])


def test_points_behind_the_camera_have_no_pixel():
    points = np.array([[0.1, 0.1, -1.0], [0.1, 0.1, 0.0]])
    assert np.isnan(project(points, camera('rational'))).all()


@settings(max_examples=50)
@given(
    u=st.floats(0, 639), v=st.floats(0, 479), depth=st.floats(0.1, 100),
    width=st.integers(10, 2000), height=st.integers(10, 2000),
    lens=st.sampled_from(['pinhole', 'plumb_bob 5', 'rational', 'fisheye']),
)  # fmt: skip
def test_resizing_scales_pixels_in_x_and_y_separately(u, v, depth, width, height, lens):
    model = camera(lens)
    point = np.array([(u - 320) / 640, (v - 240) / 640, 1.0]) * depth
    got = project(point, model.scaled(width, height))
    want = project(point, model) * (width / 640, height / 480)
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)


@given(x=st.integers(0, 500), y=st.integers(0, 400), lens=st.sampled_from(list(LENSES)))
@settings(max_examples=50)
def test_cropping_shifts_pixels(x: int, y: int, lens: str):
    model = camera(lens)
    point = np.array([0.2, -0.1, 1.0])
    cropped = model.cropped(x, y, 100, 80)
    assert (cropped.width, cropped.height) == (100, 80)
    np.testing.assert_allclose(project(point, cropped), project(point, model) - (x, y))


def test_depth_along_the_axis_times_rays_gives_points():
    model = camera('pinhole')
    depth = np.full((480, 640), 2.0, np.float32)
    depth[5, 6] = np.nan
    points = depth_to_points(depth, pixel_rays(model))
    assert points.shape == (480, 640, 3) and points.dtype == np.float32
    assert np.isnan(points[5, 6]).all()
    want = (2 * (200 - model.cx) / model.fx, 2 * (100 - model.cy) / model.fy, 2.0)
    np.testing.assert_allclose(points[100, 200], want, rtol=1e-6)


K = (500.0, 0.0, 320.0, 0.0, 510.0, 240.0, 0.0, 0.0, 1.0)


def test_a_camera_info_becomes_a_hashable_model():
    model = CameraModel.from_camera_info(640, 480, K, [0.1, 0, 0, 0, 0], 'plumb_bob')
    assert (model.fx, model.fy, model.cx, model.cy) == (500, 510, 320, 240)
    assert model.k == K
    again = CameraModel.from_camera_info(640, 480, np.array(K), np.array([0.1, 0, 0, 0, 0]),
                                         'plumb_bob')  # fmt: skip
    assert {model: 1}[again] == 1


def test_roi_and_binning_give_the_camera_of_the_image():
    model = CameraModel.from_camera_info(640, 480, K, binning=(2, 2), roi=(100, 40, 400, 300))
    assert (model.width, model.height) == (200, 150)
    assert (model.fx, model.fy, model.cx, model.cy) == (250, 255, 110, 100)


@pytest.mark.parametrize(
    ('roi', 'size', 'center'),
    [
        ((0, 0, 0, 0), (640, 480), (320, 240)),
        ((100, 40, 400, 300), (400, 300), (220, 200)),
        ((100, 40, 0, 300), (640, 480), (320, 240)),
        ((100, 40, 400, 0), (640, 480), (320, 240)),
        ((0, 0, 1, 1), (1, 1), (320, 240)),
    ],
)
def test_an_roi_without_width_or_height_is_the_full_image(roi, size, center):
    model = CameraModel.from_camera_info(640, 480, K, roi=roi)
    assert (model.width, model.height) == size
    assert (model.cx, model.cy) == center


@pytest.mark.parametrize(
    ('binning', 'size', 'focal'),
    [
        ((0, 0), (640, 480), (500, 510)),
        ((1, 1), (640, 480), (500, 510)),
        ((2, 0), (320, 480), (250, 510)),
        ((0, 4), (640, 120), (500, 127.5)),
        ((3, 1), (213, 480), (500 * 213 / 640, 510)),
    ],
)
def test_binning_of_each_axis_divides_size_and_focal_length(binning, size, focal):
    model = CameraModel.from_camera_info(640, 480, K, binning=binning)
    assert (model.width, model.height) == size
    assert (model.fx, model.fy) == pytest.approx(focal)


def test_binning_1_keeps_the_model_exactly():
    plain = CameraModel.from_camera_info(641, 479, K)
    assert CameraModel.from_camera_info(641, 479, K, binning=(1, 1)) == plain


def test_the_smallest_camera_has_one_pixel():
    model = CameraModel(1, 1, 1e-3, 1e-3, 0.0, 0.0)
    assert pixel_rays(model).shape == (1, 1, 2)


def test_k_is_the_matrix_by_rows():
    assert CameraModel(640, 480, 1.0, 2.0, 3.0, 4.0).k == (1, 0, 3, 0, 2, 4, 0, 0, 1)


def test_a_ray_leads_from_the_center_of_the_pixel():
    model = CameraModel(4, 3, 2.0, 4.0, 1.0, 1.0)
    rays = pixel_rays(model)
    np.testing.assert_array_equal(rays[1, 1], (0, 0))
    np.testing.assert_array_equal(rays[2, 3], (1.0, 0.25))


def test_defaults_are_a_lens_without_distortion_and_a_full_image():
    model = CameraModel.from_camera_info(640, 480, K)
    assert model == CameraModel(640, 480, 500.0, 510.0, 320.0, 240.0, '', ())


def test_values_of_a_camera_info_become_python_numbers():
    model = CameraModel.from_camera_info(
        np.uint32(640), np.uint32(480), np.array(K), np.array([0.1, 0, 0, 0, 0]), 'plumb_bob'
    )
    values = (model.fx, model.cy, *model.distortion)
    assert {type(value) for value in values} == {float}
    assert type(model.width) is type(model.height) is int


def test_one_coefficient_that_is_not_zero_is_kept():
    model = CameraModel.from_camera_info(640, 480, K, [0, 0, 0, 0, 1e-9], 'plumb_bob')
    assert model.distortion == (0, 0, 0, 0, 1e-9)


def test_zero_coefficients_of_an_equidistant_lens_are_kept():
    model = CameraModel.from_camera_info(640, 480, K, [0.0] * 4, 'equidistant')
    assert model.distortion == (0.0,) * 4


@pytest.mark.parametrize('name', ['plumb_bob', 'rational_polynomial', '', 'something'])
@pytest.mark.parametrize('count', [0, 5])
def test_all_zero_coefficients_mean_no_distortion(name: str, count: int):
    model = CameraModel.from_camera_info(640, 480, K, [0.0] * count, name)
    assert model.distortion == ()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'k': (0.0,) * 9}, 'not calibrated.*Calibrate'),
        ({'k': (math.nan, *K[1:])}, 'not finite.*Calibrate'),
        ({'k': (math.inf, *K[1:])}, 'not finite'),
        ({'k': K[:6]}, 'K has 6 values'),
        ({'k': (*K, 0.0)}, 'K has 10 values'),
        ({'k': (-1.0, *K[1:])}, 'must be positive'),
        ({'k': (*K[:4], 0.0, *K[5:])}, r'Focal lengths \(500.0, 0.0\).*must be positive'),
        ({'height': 0}, 'size 640x0 must be positive'),
        ({'width': 0}, 'size 0x480 must be positive'),
        ({'d': [math.nan] * 5}, 'not finite'),
        ({'d': [0.1] * 5, 'distortion_model': 'magic'}, "'magic' is unknown; allowed: plumb_bob"),
        ({'d': [0.1] * 5, 'distortion_model': ''}, "'' is unknown"),
        ({'d': [0.1] * 3}, r'plumb_bob has 3 coefficients; allowed: \(4, 5\)'),
        ({'d': [0.1] * 5, 'distortion_model': 'equidistant'}, 'equidistant has 5 coefficients'),
        ({'d': [], 'distortion_model': 'equidistant'}, 'equidistant has 0 coefficients'),
    ],
)
def test_impossible_intrinsics_are_an_error(changes: dict, message: str):
    values = {'width': 640, 'height': 480, 'k': K, 'd': [0.1] * 5, 'distortion_model': 'plumb_bob'}
    with pytest.raises(CameraError, match=message):
        CameraModel.from_camera_info(**{**values, **changes})
