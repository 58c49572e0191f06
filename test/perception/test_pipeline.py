"""One frame through a real engine: metric depth of this camera, and a cloud that agrees."""

from __future__ import annotations

import tracemalloc
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest
from host_device import make_host_device
from model_factory import CLASSES, FOCAL_LENGTH, expected_depth, expected_labels, make_model

from hydranet_ros.camera.model import CameraModel, depth_to_points, pixel_rays
from hydranet_ros.errors import ImageError, ModelError, ProviderError
from hydranet_ros.inference.buffers import backing_array
from hydranet_ros.inference.engine import Engine, EngineOptions
from hydranet_ros.perception.pipeline import (
    Output,
    Perception,
    PerceptionResult,
    PerceptionSettings,
    create_postprocessor,
)
from hydranet_ros.perception.point_cloud import POINT_DTYPE
from hydranet_ros.perception.postprocess import CpuPostprocessor

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


def test_depth_is_in_meters_and_nan_where_a_class_has_no_surface(perception, image):
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


def test_focal_length_scaling_can_be_switched_off(engine, image):
    perception = Perception(engine, PerceptionSettings(scale_by_focal_length=False))
    camera = replace(CAMERA, fx=333.0)
    depth = perception.process(image, camera, wanted=frozenset({Output.DEPTH})).depth
    known = surface(image)
    np.testing.assert_allclose(depth[known], expected_depth(image)[known], rtol=1e-6)


@pytest.mark.parametrize('size', [(2, 2), (0.5, 0.5), (2, 1), (1, 2)])
def test_a_camera_of_another_size_is_scaled_to_the_image(perception, image, size):
    other = CAMERA.scaled(int(size[0] * WIDTH), int(size[1] * HEIGHT))
    wanted = frozenset({Output.DEPTH, Output.POINTS})
    want = perception.process(image, CAMERA, wanted=wanted).cloud.data.copy()
    got = perception.process(image, other, wanted=wanted).cloud.data
    assert got.tobytes() == want.tobytes()


def test_depth_beyond_the_limit_is_unknown(engine, image):
    limited = Perception(engine, PerceptionSettings(max_depth=5.0))
    depth = limited.process(image, wanted=frozenset({Output.DEPTH})).depth
    want = expected_depth(image)
    np.testing.assert_array_equal(np.isfinite(depth), surface(image) & (want <= 5.0))


@pytest.mark.parametrize('stride', [1, 2, 3])
def test_the_cloud_is_rays_times_depth_with_colors_and_labels(engine, image, stride):
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


def test_pixels_that_no_ray_reaches_have_no_point(perception, image):
    folded = replace(CAMERA, fx=20.0, fy=20.0, distortion=(-0.5, 0.0, 0.0, 0.0, 0.0))
    cloud = perception.process(image, folded, wanted=frozenset({Output.POINTS})).cloud.data
    assert np.isnan(cloud['x'][20, 0]) and np.isfinite(cloud['x'][24, 31])


def test_without_a_camera_only_the_cloud_is_missing(perception, image):
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
def test_a_result_holds_exactly_the_wanted_output(perception, image, output: Output):
    result = perception.process(image, CAMERA, wanted=frozenset({output}))
    present = {name for name in FIELDS.values() if getattr(result, name) is not None}
    assert present == {FIELDS[output]}
    assert 'engine' in result.timing


def test_the_network_does_not_run_without_a_wanted_output(tmp_path, image):
    """A closed engine raises when it runs."""
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
def test_available_outputs_follow_from_the_tasks_of_the_model(tmp_path, image, tasks, missing):
    perception = Perception(Engine(make_model(tmp_path / 'm.onnx', tasks=tasks)))
    assert perception.available == ALL - missing
    result = perception.process(image, CAMERA, wanted=ALL)
    present = {output for output, name in FIELDS.items() if getattr(result, name) is not None}
    assert present == perception.available


def test_a_depth_only_model_gives_an_unlabeled_cloud(tmp_path, image):
    perception = Perception(Engine(make_model(tmp_path / 'm.onnx', tasks=('depth',))))
    cloud = perception.process(image, CAMERA, wanted=frozenset({Output.POINTS})).cloud.data
    assert (cloud['label'] == 255).all() and np.isfinite(cloud['z']).all()


def test_colored_images_use_the_palette_of_the_model(perception, image):
    result = perception.process(image, wanted=frozenset({Output.COLOR, Output.OVERLAY}))
    table = np.array([item.color for item in CLASSES], np.uint8)
    want = table[expected_labels(image)]
    np.testing.assert_array_equal(result.color, want)
    half = (image.astype(float) + want) / 2
    assert np.abs(result.overlay - half).max() <= 0.5


def test_pixels_below_the_confidence_are_unlabeled(engine, image):
    perception = Perception(engine, PerceptionSettings(min_confidence=0.5))
    labels = perception.process(image, wanted=frozenset({Output.MASK})).labels
    unsure = image[..., 1] < 127.5
    assert (labels[unsure] == 255).all()
    np.testing.assert_array_equal(labels[~unsure], expected_labels(image)[~unsure])


def arrays(result: PerceptionResult) -> dict[str, np.ndarray]:
    found = {name: getattr(result, name) for name in FIELDS.values()}
    return {name: getattr(value, 'data', value) if name == 'cloud' else value
            for name, value in found.items()}  # fmt: skip


def test_arrays_are_reused_and_can_be_messages(perception, image):
    first = arrays(perception.process(image, CAMERA, wanted=ALL))
    second = arrays(perception.process(image[::-1].copy(), CAMERA, wanted=ALL))
    for name, values in first.items():
        assert backing_array(values) is not None, name
        assert np.shares_memory(values, second[name]), name


def test_repeated_frames_give_equal_results_and_keep_the_image(perception, image):
    before = image.copy()
    want = {
        name: values.tobytes()
        for name, values in arrays(perception.process(image, CAMERA, wanted=ALL)).items()
    }
    perception.process(image[::-1].copy(), replace(CAMERA, fx=70.0), wanted=ALL)
    again = arrays(perception.process(image, CAMERA, wanted=ALL))
    assert {name: values.tobytes() for name, values in again.items()} == want
    np.testing.assert_array_equal(image, before)


def test_images_of_changing_sizes_are_each_processed_correctly(perception, image):
    for size in ((48, 64), (20, 30), (48, 64), (61, 33)):
        part = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
        result = perception.process(part, CAMERA.scaled(size[1], size[0]), wanted=ALL)
        np.testing.assert_array_equal(result.labels, expected_labels(part))
        assert result.cloud.data.shape == size


def test_a_steady_stream_allocates_no_image(engine):
    """Measured with tracemalloc, to which numpy reports its arrays."""
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


@pytest.mark.parametrize('wanted', [frozenset({Output.POINTS}), frozenset()])
def test_a_frame_without_a_possible_result_does_not_run(tmp_path, image, wanted):
    """A cloud needs a camera; the closed engine would raise."""
    perception = Perception(Engine(make_model(tmp_path / 'm.onnx')))
    perception.engine.close()
    result = perception.process(image, wanted=wanted)
    assert result.cloud is None and result.timing == {}


def test_drawing_is_a_stage_of_its_own_only_where_something_is_drawn(perception, image):
    drawn = perception.process(image, wanted=frozenset({Output.OVERLAY}))
    plain = perception.process(image, wanted=frozenset({Output.MASK}))
    assert list(drawn.timing)[-1] == 'color' and 'color' not in plain.timing


def test_the_depth_colormap_is_a_setting(engine, image):
    wanted = frozenset({Output.DEPTH_COLOR})
    turbo = Perception(engine).process(image, wanted=wanted).depth_color.copy()
    settings = PerceptionSettings(depth_colormap='inferno')
    other = Perception(engine, settings).process(image, wanted=wanted).depth_color
    assert (turbo != other).any()


def test_a_stream_yields_every_item_with_its_result(perception, image):
    frames = [(image, CAMERA, 'first'), (image[::-1].copy(), None, 'second')]
    wanted = frozenset({Output.MASK, Output.POINTS})
    found = [(item, result.labels.copy(), result.cloud is None)
             for item, result in perception.stream(frames, wanted=wanted)]  # fmt: skip
    assert [item for item, _, _ in found] == ['first', 'second']
    assert [without for _, _, without in found] == [False, True]
    np.testing.assert_array_equal(found[1][1], expected_labels(image[::-1]))


@pytest.fixture
def device_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    path = make_model(tmp_path / 'm.onnx')
    return Engine(path, EngineOptions(provider='cpu'), device=make_host_device(monkeypatch))


def test_a_stream_on_the_host_takes_a_frame_when_it_is_processed(perception, image):
    taken = []
    frames = ((taken.append(index) or image, None, index) for index in range(3))
    for index, _ in perception.stream(frames, wanted=frozenset({Output.MASK})):
        assert taken[-1] == index


def test_a_stream_on_a_device_starts_the_next_frame_before_it_yields_one(device_engine, image):
    taken, given = [], []
    images = [np.roll(image, 7 * index, axis=0) for index in range(4)]
    frames = ((taken.append(index) or images[index], None, index) for index in range(4))
    perception = Perception(device_engine)
    for index, result in perception.stream(frames, wanted=frozenset({Output.MASK})):
        assert taken[-1] == min(index + 1, 3)
        np.testing.assert_array_equal(result.labels, expected_labels(images[index]))
        given.append(index)
    assert given == [0, 1, 2, 3]


def test_a_bad_frame_ends_a_stream_after_the_results_of_the_others(device_engine, image):
    frames = [(image, None, 'good'), (image, None, 'last'), (image[0], None, 'bad')]
    given = []
    with pytest.raises(ImageError):
        for item, _ in Perception(device_engine).stream(frames, wanted=frozenset({Output.MASK})):
            given.append(item)
    assert given == ['good', 'last']


def test_a_device_without_a_kernel_gets_the_cpu_with_a_warning(device_engine, monkeypatch):
    def refuse(source: Path, name: str) -> None:
        raise ProviderError('no compiler.')

    monkeypatch.setattr(device_engine.device, 'compile', refuse)
    postprocessor, warnings = create_postprocessor(device_engine)
    assert isinstance(postprocessor, CpuPostprocessor)
    assert warnings == ('Depth and cloud are computed on the CPU: no compiler.',)


def test_only_classes_without_a_surface_are_marked(perception):
    table = perception._params(None, frozenset()).surface_table
    assert table[SKY] == 0 and (np.delete(table, SKY) == 255).all()


@pytest.mark.parametrize(
    ('wanted', 'confidence', 'outputs'),
    [
        ({Output.MASK}, 0.0, {'labels'}),
        ({Output.MASK}, 0.1, {'labels', 'confidence'}),
        ({Output.NORMALS}, 0.1, {'normals'}),
        ({Output.POINTS}, 0.1, {'labels', 'depth', 'confidence'}),
    ],
)
def test_the_network_computes_the_confidence_only_where_it_limits_labels(
    engine, wanted, confidence, outputs
):
    perception = Perception(engine, PerceptionSettings(min_confidence=confidence))
    assert perception._network_outputs(frozenset(wanted)) == outputs


def test_settings_become_post_processing_parameters(engine):
    settings = PerceptionSettings(min_confidence=0.5, max_depth=7.0, cloud_stride=3)
    params = Perception(engine, settings)._params(CAMERA, frozenset({Output.POINTS}))
    assert (params.min_confidence, params.max_depth, params.stride) == (127.5, 7.0, 3)
    assert params.camera is CAMERA and params.depth_factor == 1.0
    assert Perception(engine)._params(CAMERA, frozenset({Output.MASK})).camera is None


def test_settings_and_results_cannot_be_changed():
    for value in (PerceptionSettings(), PerceptionResult()):
        with pytest.raises(FrozenInstanceError):
            value.timing = {}


def test_an_engine_on_the_host_gets_the_cpu(engine):
    postprocessor, warnings = create_postprocessor(engine)
    assert isinstance(postprocessor, CpuPostprocessor)
    assert warnings == () and postprocessor.overlaps is False
