"""One frame through a real engine: depth in metres of this camera, and a cloud that agrees."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from model_factory import CLASSES, FOCAL_LENGTH, expected_depth, expected_labels, make_model

from hydranet_ros.camera.model import CameraModel, depth_to_points, pixel_rays
from hydranet_ros.errors import ModelError
from hydranet_ros.inference.buffers import backing_array
from hydranet_ros.inference.engine import Engine
from hydranet_ros.perception.pipeline import (
    Output,
    Perception,
    PerceptionResult,
    PerceptionSettings,
)
from hydranet_ros.perception.point_cloud import POINT_DTYPE, PointCloudBuilder
from hydranet_ros.perception.postprocess import CpuPostprocessor, PostprocessParams

HEIGHT, WIDTH = 48, 64
CAMERA = CameraModel(
    WIDTH, HEIGHT, FOCAL_LENGTH, FOCAL_LENGTH, 31.0, 24.0, 'plumb_bob', (-0.1, 0.02, 0.001, 0, 0)
)
ALL = frozenset(Output)
SKY = 0


@pytest.fixture(scope='module')
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    path: Path = tmp_path_factory.mktemp('models') / 'all.onnx'
    return Engine(make_model(path, tasks=('segmentation', 'depth', 'normals')))


@pytest.fixture
def perception(engine: Engine) -> Perception:
    return Perception(engine)


@pytest.fixture
def image() -> np.ndarray:
    found = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    found[:10] = (20, 30, 250)
    return found


def surface(image: np.ndarray) -> np.ndarray:
    return expected_labels(image) != SKY


def test_depth_is_metres_and_nan_where_a_class_has_no_surface(perception, image):
    depth = perception.process(image, wanted=frozenset({Output.DEPTH})).depth
    known = surface(image)
    assert 0.1 < known.mean() < 0.9
    assert np.isnan(depth[~known]).all()
    np.testing.assert_allclose(depth[known], expected_depth(image)[known], rtol=1e-6)


@pytest.mark.parametrize('ratio', [0.5, 1.0, 2.5])
def test_depth_scales_with_the_camera_s_focal_length(perception, image, ratio: float):
    camera = replace(CAMERA, fx=FOCAL_LENGTH * ratio, fy=FOCAL_LENGTH * ratio)
    depth = perception.process(image, camera, wanted=frozenset({Output.DEPTH})).depth
    known = surface(image)
    np.testing.assert_allclose(depth[known], expected_depth(image)[known] * ratio, rtol=1e-6)


def test_the_scaling_can_be_switched_off(engine, image):
    perception = Perception(engine, PerceptionSettings(scale_by_focal_length=False))
    camera = replace(CAMERA, fx=333.0)
    depth = perception.process(image, camera, wanted=frozenset({Output.DEPTH})).depth
    known = surface(image)
    np.testing.assert_allclose(depth[known], expected_depth(image)[known], rtol=1e-6)


def test_a_camera_of_another_size_is_scaled_to_the_image(perception, image):
    double = CAMERA.scaled(2 * WIDTH, 2 * HEIGHT)
    wanted = frozenset({Output.DEPTH, Output.POINTS})
    want = perception.process(image, CAMERA, wanted=wanted).cloud.data.copy()
    got = perception.process(image, double, wanted=wanted).cloud.data
    assert got.tobytes() == want.tobytes()


def test_depth_beyond_the_limit_is_unknown(engine, image):
    limited = Perception(engine, PerceptionSettings(max_depth=5.0))
    depth = limited.process(image, wanted=frozenset({Output.DEPTH})).depth
    want = expected_depth(image)
    np.testing.assert_array_equal(np.isfinite(depth), surface(image) & (want <= 5.0))


def test_a_depth_of_zero_is_unknown_not_a_point_at_the_origin(perception, image):
    depth = np.array([[0.0, -0.0, 1.0, np.nan, np.inf]], np.float32)
    postprocessor = CpuPostprocessor(perception.engine)
    got = postprocessor.metric_depth(depth, None, PostprocessParams(bytes(256)))
    np.testing.assert_array_equal(np.isfinite(got), [[False, False, True, False, False]])


@pytest.mark.parametrize('stride', [1, 2, 3])
def test_the_cloud_is_rays_times_depth_with_the_image_s_colours_and_labels(engine, image, stride):
    perception = Perception(engine, PerceptionSettings(cloud_stride=stride))
    result = perception.process(image, CAMERA, wanted=frozenset({Output.POINTS, Output.DEPTH}))
    data = result.cloud.data
    part = (slice(None, None, stride), slice(None, None, stride))
    points = depth_to_points(result.depth[part], pixel_rays(CAMERA, stride))
    assert data.dtype == POINT_DTYPE and data.shape == points.shape[:2]
    for i, axis in enumerate('xyz'):
        np.testing.assert_allclose(data[axis], points[..., i], rtol=1e-6)
    for i, channel in enumerate('rgb'):
        np.testing.assert_array_equal(data[channel], image[part][..., i])
    np.testing.assert_array_equal(data['label'], expected_labels(image)[part])


def test_a_point_is_sixteen_bytes_with_the_colour_as_rviz_reads_it():
    assert POINT_DTYPE.itemsize == 16
    assert [POINT_DTYPE.fields[name][1] for name in ('x', 'y', 'z', 'b', 'g', 'r', 'label')] == [
        0, 4, 8, 12, 13, 14, 15,
    ]  # fmt: skip


def test_pixels_the_lens_cannot_see_have_no_point(perception, image):
    folded = replace(CAMERA, fx=20.0, fy=20.0, distortion=(-0.5, 0.0, 0.0, 0.0, 0.0))
    cloud = perception.process(image, folded, wanted=frozenset({Output.POINTS})).cloud.data
    assert np.isnan(cloud['x'][20, 0]) and np.isfinite(cloud['x'][24, 31])


def test_without_a_camera_there_is_no_cloud_but_all_else(perception, image):
    result = perception.process(image, wanted=ALL)
    assert result.cloud is None
    missing = [
        name for name in FIELDS.values() if name != 'cloud' and getattr(result, name) is None
    ]
    assert missing == []


FIELDS = {
    Output.MASK: 'labels', Output.COLOR: 'color', Output.OVERLAY: 'overlay',
    Output.CONFIDENCE: 'confidence', Output.DEPTH: 'depth', Output.DEPTH_COLOR: 'depth_color',
    Output.NORMALS: 'normals', Output.POINTS: 'cloud',
}  # fmt: skip


@pytest.mark.parametrize('output', list(Output))
def test_what_is_wanted_comes_and_nothing_else(perception, image, output: Output):
    result = perception.process(image, CAMERA, wanted=frozenset({output}))
    present = {name for name in FIELDS.values() if getattr(result, name) is not None}
    assert present == {FIELDS[output]}
    assert 'engine' in result.timing


def test_nothing_wanted_runs_nothing(tmp_path, image):
    """A closed engine raises as soon as it is run."""
    perception = Perception(Engine(make_model(tmp_path / 'm.onnx')))
    perception.engine.close()
    assert perception.process(image, CAMERA, wanted=frozenset()).labels is None
    with pytest.raises(ModelError):
        perception.process(image, CAMERA, wanted=frozenset({Output.MASK}))


@pytest.mark.parametrize(
    ('tasks', 'missing'),
    [
        (('segmentation', 'depth', 'normals'), set()),
        (('segmentation', 'depth'), {Output.NORMALS}),
        (('depth',), {Output.MASK, Output.COLOR, Output.OVERLAY, Output.CONFIDENCE,
                      Output.NORMALS}),
        (('segmentation',), {Output.DEPTH, Output.DEPTH_COLOR, Output.POINTS, Output.NORMALS}),
    ],
)  # fmt: skip
def test_what_is_available_follows_from_the_model_s_tasks(tmp_path, image, tasks, missing):
    perception = Perception(Engine(make_model(tmp_path / 'm.onnx', tasks=tasks)))
    assert perception.available == ALL - missing
    result = perception.process(image, CAMERA, wanted=ALL)
    present = {output for output, name in FIELDS.items() if getattr(result, name) is not None}
    assert present == perception.available


def test_a_depth_only_model_gives_an_unlabelled_cloud(tmp_path, image):
    perception = Perception(Engine(make_model(tmp_path / 'm.onnx', tasks=('depth',))))
    cloud = perception.process(image, CAMERA, wanted=frozenset({Output.POINTS})).cloud.data
    assert (cloud['label'] == 255).all() and np.isfinite(cloud['z']).all()


def test_pictures_have_the_palette_of_the_model(perception, image):
    result = perception.process(image, wanted=frozenset({Output.COLOR, Output.OVERLAY}))
    table = np.array([item.color for item in CLASSES], np.uint8)
    want = table[expected_labels(image)]
    np.testing.assert_array_equal(result.color, want)
    half = (image.astype(float) + want) / 2
    assert np.abs(result.overlay - half).max() <= 0.5


def test_pixels_less_sure_than_asked_are_unlabelled(engine, image):
    perception = Perception(engine, PerceptionSettings(min_confidence=0.5))
    labels = perception.process(image, wanted=frozenset({Output.MASK})).labels
    unsure = image[..., 1] < 127.5
    assert (labels[unsure] == 255).all()
    np.testing.assert_array_equal(labels[~unsure], expected_labels(image)[~unsure])


def arrays(result: PerceptionResult) -> dict[str, np.ndarray]:
    found = {name: getattr(result, name) for name in FIELDS.values()}
    return {name: getattr(value, 'data', value) if name == 'cloud' else value
            for name, value in found.items()}  # fmt: skip


def test_every_array_is_kept_and_can_be_a_message(perception, image):
    first = arrays(perception.process(image, CAMERA, wanted=ALL))
    second = arrays(perception.process(image[::-1].copy(), CAMERA, wanted=ALL))
    for name, values in first.items():
        assert backing_array(values) is not None, name
        assert np.shares_memory(values, second[name]), name


def test_frame_after_frame_gives_the_same_and_leaves_the_image_alone(perception, image):
    before = image.copy()
    want = {
        name: values.tobytes()
        for name, values in arrays(perception.process(image, CAMERA, wanted=ALL)).items()
    }
    perception.process(image[::-1].copy(), replace(CAMERA, fx=70.0), wanted=ALL)
    again = arrays(perception.process(image, CAMERA, wanted=ALL))
    assert {name: values.tobytes() for name, values in again.items()} == want
    np.testing.assert_array_equal(image, before)


def test_images_of_changing_size_are_each_done_right(perception, image):
    for size in ((48, 64), (20, 30), (48, 64), (61, 33)):
        part = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
        result = perception.process(part, CAMERA.scaled(size[1], size[0]), wanted=ALL)
        np.testing.assert_array_equal(result.labels, expected_labels(part))
        assert result.cloud.data.shape == size


def test_a_steady_stream_allocates_no_picture(engine):
    """Measured by Python's own tracer, which numpy reports its arrays to."""
    perception = Perception(engine)
    image = np.zeros((480, 640, 3), np.uint8)
    camera = CAMERA.scaled(640, 480)
    wanted = frozenset({Output.MASK, Output.DEPTH, Output.POINTS, Output.OVERLAY})
    perception.process(image, camera, wanted=wanted)
    tracemalloc.start()
    for _ in range(3):
        perception.process(image, camera, wanted=wanted)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000, f'{peak} bytes; one mask alone is 307200'


@pytest.mark.parametrize(('height', 'width'), [(1, 1), (3, 70_000), (129, 512), (375, 1242)])
def test_a_cloud_filled_strip_by_strip_is_the_cloud_of_the_whole(height, width):
    """To the bit, with a strip that is left over, rows longer than a strip, and NaN."""
    import cv2

    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    labels = rng.integers(0, 256, (height, width)).astype(np.uint8)
    depth = rng.uniform(0, 80, (height, width)).astype(np.float32)
    depth[rng.random((height, width)) < 0.1] = np.nan
    camera = CameraModel(width, height, 300.0, 310.0, width / 2, height / 2)
    rays = pixel_rays(camera)
    want = np.empty((height, width), POINT_DTYPE)
    for axis, ray in (('x', rays[..., 0]), ('y', rays[..., 1])):
        want[axis] = cv2.multiply(np.ascontiguousarray(ray), depth)
    want['z'], want['label'] = depth, labels
    want['r'], want['g'], want['b'] = np.moveaxis(image, -1, 0)
    builder = PointCloudBuilder()
    for _ in range(2):
        found = builder.build(image, labels, depth, camera).data
        assert found.tobytes() == want.tobytes()
    assert backing_array(found) is not None
