"""Post-processing on the CPU: confident labels, metric depth, the cloud."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
from model_factory import expected_depth, expected_labels, make_model

from hydranet_ros.camera.model import CameraModel
from hydranet_ros.inference.engine import Engine, EngineOptions
from hydranet_ros.perception.postprocess import (
    MAX_DEPTH,
    MIN_DEPTH,
    CpuPostprocessor,
    Postprocessed,
    PostprocessParams,
    Stopwatch,
)

HEIGHT, WIDTH = 12, 16
SKY = 0
SURFACES = bytes(0 if label == SKY else 255 for label in range(256))
CAMERA = CameraModel(WIDTH, HEIGHT, 20.0, 20.0, 8.0, 6.0)
OUTPUTS = frozenset({'labels', 'confidence', 'depth', 'normals'})
KEEP = OUTPUTS | {'cloud'}


@pytest.fixture(scope='module')
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    path: Path = tmp_path_factory.mktemp('models') / 'all.onnx'
    tasks = ('segmentation', 'depth', 'normals')
    return Engine(make_model(path, tasks=tasks), EngineOptions('cpu', threads=1))


@pytest.fixture
def postprocessor(engine: Engine) -> CpuPostprocessor:
    return CpuPostprocessor(engine)


@pytest.fixture
def image() -> np.ndarray:
    found = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    found[:4] = (20, 30, 250)
    return found


def params(**changes) -> PostprocessParams:
    return PostprocessParams(SURFACES, **changes)


def metric(postprocessor: CpuPostprocessor, values, labels=None, **changes) -> np.ndarray:
    depth = np.array([values], np.float32)
    found = None if labels is None else np.array([labels], np.uint8)
    return postprocessor.metric_depth(depth, found, params(**changes))[0]


def test_the_surface_table_is_a_view_of_the_bytes():
    table = params().surface_table
    assert table.dtype == np.uint8 and table.shape == (256,)
    assert table[SKY] == 0 and (table[1:] == 255).all()


def test_defaults_change_nothing():
    default = params()
    assert (default.min_confidence, default.depth_factor) == (0.0, 1.0)
    assert (default.max_depth, default.camera, default.stride) == (MAX_DEPTH, None, 1)


def test_zero_negative_infinite_and_nan_depth_are_unknown(postprocessor):
    got = metric(postprocessor, [0.0, -0.0, -1.0, 1.0, np.nan, np.inf])
    np.testing.assert_array_equal(np.isfinite(got), [False, False, False, True, False, False])


def test_the_limits_of_depth_are_inclusive(postprocessor):
    below = np.nextafter(np.float32(MIN_DEPTH), np.float32(0))
    above = np.nextafter(np.float32(5.0), np.float32(9))
    got = metric(postprocessor, [below, MIN_DEPTH, 5.0, above], max_depth=5.0)
    np.testing.assert_array_equal(np.isfinite(got), [False, True, True, False])


def test_depth_is_scaled_before_the_limit(postprocessor):
    got = metric(postprocessor, [1.0, 4.0, 6.0], depth_factor=2.0, max_depth=8.0)
    np.testing.assert_array_equal(got, [2.0, 8.0, np.nan])


@pytest.mark.parametrize('factor', [0.25, 0.5, 2.0, 4.0])
def test_any_factor_scales_depth(postprocessor, factor: float):
    got = metric(postprocessor, [1.0, 4.0, 6.0], depth_factor=factor)
    np.testing.assert_array_equal(got, factor * np.float32([1.0, 4.0, 6.0]))


def test_a_factor_of_one_leaves_the_bits_of_depth(postprocessor):
    values = np.float32([0.1, 1 / 3, 7.77])
    assert metric(postprocessor, values).tobytes() == values.tobytes()


def test_classes_without_a_surface_have_no_depth(postprocessor):
    got = metric(postprocessor, [3.0, 3.0, 3.0], labels=[SKY, 1, 255])
    np.testing.assert_array_equal(got, [np.nan, 3.0, 3.0])


def test_a_frame_has_labels_depth_confidence_normals_and_cloud(postprocessor, image):
    result = postprocessor.submit(image, OUTPUTS, KEEP, params(camera=CAMERA))()
    labels = expected_labels(image)
    np.testing.assert_array_equal(result.labels, labels)
    np.testing.assert_array_equal(result.confidence, image[..., 1])
    assert result.normals.shape == (HEIGHT, WIDTH, 3)
    known = labels != SKY
    np.testing.assert_allclose(result.depth[known], expected_depth(image)[known], rtol=1e-6)
    assert np.isnan(result.depth[~known]).all()
    np.testing.assert_array_equal(result.cloud.data['z'], result.depth)
    np.testing.assert_array_equal(result.cloud.data['label'], labels)
    assert list(result.timing) == ['engine', 'labels', 'depth', 'rays', 'cloud']


def test_a_pixel_below_the_confidence_is_unlabeled_and_one_at_it_is_not(postprocessor, image):
    image[0, 0, 1], image[0, 1, 1] = 99, 100
    result = postprocessor.submit(image, OUTPUTS, OUTPUTS, params(min_confidence=100.0))()
    unsure = image[..., 1] < 100
    assert unsure[0, 0] and not unsure[0, 1]
    assert (result.labels[unsure] == 255).all()
    np.testing.assert_array_equal(result.labels[~unsure], expected_labels(image)[~unsure])


@pytest.mark.parametrize('output', ['labels', 'confidence'])
def test_labels_or_confidence_alone_are_as_the_network_gives_them(postprocessor, image, output):
    """The limit of the confidence needs both."""
    wanted = frozenset({output})
    result = postprocessor.submit(image, wanted, wanted, params(min_confidence=100.0))()
    want = expected_labels(image) if output == 'labels' else image[..., 1]
    np.testing.assert_array_equal(getattr(result, output), want)


def test_a_frame_is_done_when_it_is_submitted(postprocessor, image):
    assert postprocessor.overlaps is False
    wait = postprocessor.submit(image, OUTPUTS, KEEP, params(camera=CAMERA))
    assert wait() is wait()


def test_an_unlabeled_pixel_keeps_its_depth(postprocessor, image):
    image[...] = (100, 10, 250)
    result = postprocessor.submit(image, OUTPUTS, OUTPUTS, params(min_confidence=50.0))()
    assert (result.labels == 255).all() and np.isfinite(result.depth).all()


@pytest.mark.parametrize(
    ('keep', 'camera'), [(KEEP, None), (OUTPUTS, CAMERA)], ids=['no camera', 'not requested']
)
def test_there_is_a_cloud_only_with_a_camera_and_on_request(postprocessor, image, keep, camera):
    result = postprocessor.submit(image, OUTPUTS, keep, params(camera=camera))()
    assert result.cloud is None and 'cloud' not in result.timing


def test_without_depth_there_is_no_cloud(postprocessor, image):
    result = postprocessor.submit(image, frozenset({'labels'}), KEEP, params(camera=CAMERA))()
    assert result.depth is None and result.cloud is None
    assert list(result.timing) == ['engine', 'labels']


def test_a_stride_thins_the_cloud(postprocessor, image):
    result = postprocessor.submit(image, OUTPUTS, KEEP, params(camera=CAMERA, stride=3))()
    assert result.cloud.data.shape == (4, 6)
    np.testing.assert_array_equal(result.cloud.data['z'], result.depth[::3, ::3])


def test_a_stopwatch_measures_each_stage_from_the_end_of_the_last(monkeypatch):
    times = iter([10.0, 10.5, 12.0])
    monkeypatch.setattr('time.perf_counter', lambda: next(times))
    watch = Stopwatch()
    watch.lap('first')
    watch.lap('second')
    assert watch.laps == {'first': 500.0, 'second': 1500.0}


def test_parameters_and_results_cannot_be_changed():
    for value in (params(), Postprocessed()):
        with pytest.raises(FrozenInstanceError):
            value.depth = None
