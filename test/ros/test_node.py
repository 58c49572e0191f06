"""The node in this process, with real rclpy and DDS on a domain of its own."""

from __future__ import annotations

import re
import threading
import time

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

import rclpy
from conftest import ROOT, wait_for
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from model_factory import make_model
from node_rig import Rig
from rclpy.parameter import Parameter
from ros_tools import FRAME, camera_info, header, image_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from steady_time import SteadyTime

from hydranet_ros.errors import ParameterError, PresetError
from hydranet_ros.perception.outputs import OUTPUTS, Output, available
from hydranet_ros.perception.pipeline import PerceptionSettings
from hydranet_ros.ros import node as module
from hydranet_ros.ros.node import HydranetNode

TWO_TASKS = frozenset({'labels', 'confidence', 'depth'})


@pytest.fixture
def rig(ros, tiny_model) -> Rig:
    """Return an active node that is connected to its camera."""
    made = Rig(ros, model=str(tiny_model))
    made.wait_until_connected()
    return made


@pytest.fixture
def idle(ros, tiny_model) -> Rig:
    """Return an unconfigured node."""
    return Rig(ros, model=str(tiny_model), autostart=False)


def seconds(messages) -> list[int]:
    return [message.header.stamp.sec for message in messages]


def facts(status: DiagnosticStatus) -> dict[str, str]:
    return {item.key: item.value for item in status.values}


def test_every_output_has_the_images_stamp_frame_and_grid(ros, rig):
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    depths = ros.collect(Image, '/hydranet/depth/image')
    clouds = ros.collect(PointCloud2, '/hydranet/points')
    infos = ros.collect(CameraInfo, '/hydranet/depth/camera_info')
    overlays = ros.collect(Image, '/hydranet/segmentation/overlay')
    rig.wait_for_subscribers(4)
    wait_for(rig.node._outputs._depth_info.get_subscription_count)
    rig.send_info()
    rig.images.publish(image_message(42))
    everything = (masks, depths, clouds, infos, overlays)
    wait_for(lambda: all(everything), what='all outputs')
    for message in (messages[0] for messages in everything):
        assert (message.header.stamp.sec, message.header.stamp.nanosec) == (42, 123_456_789)
        assert message.header.frame_id == FRAME
        assert (message.height, message.width) == (48, 64)
    mask = np.frombuffer(masks[0].data, np.uint8).reshape(48, 64)
    assert (mask[:24] == 0).all() and (mask[24:] == 2).all()


def test_depth_and_cloud_are_metric_and_the_sky_has_neither(ros, rig):
    """The test model predicts red / 255 * 10 + 1 = 9 m for the road."""
    depths = ros.collect(Image, '/hydranet/depth/image')
    clouds = ros.collect(PointCloud2, '/hydranet/points')
    rig.wait_for_subscribers(2)
    rig.send_info()
    rig.images.publish(image_message(1))
    wait_for(lambda: depths and clouds)
    depth = np.frombuffer(depths[0].data, np.float32).reshape(48, 64)
    assert np.isnan(depth[:24]).all()
    np.testing.assert_allclose(depth[24:], 9.0, rtol=1e-5)
    points = np.frombuffer(clouds[0].data, np.float32).reshape(48, 64, 4)
    assert np.isnan(points[:24, :, :3]).all()
    expected = [9 * (10 - 32) / 100, 9 * 16 / 100, 9]
    np.testing.assert_allclose(points[40, 10, :3], expected, rtol=1e-5)
    packed = np.frombuffer(clouds[0].data, np.uint32).reshape(48, 64, 4)[40, 10, 3]
    assert packed == (2 << 24) + (204 << 16) + (100 << 8) + 50


def test_a_rectified_image_has_the_focal_length_of_p(ros, tiny_model):
    rig = Rig(ros, model=str(tiny_model), rectified=True)
    rig.wait_until_connected()
    depths = ros.collect(Image, '/hydranet/depth/image')
    rig.wait_for_subscribers()
    info = camera_info(focal=100.0)
    info.p[0] = info.p[5] = 50.0
    rig.send_info(info)
    rig.images.publish(image_message(1))
    wait_for(lambda: depths)
    assert np.nanmax(np.frombuffer(depths[0].data, np.float32)) == pytest.approx(4.5, rel=1e-5)


def test_nothing_is_computed_without_a_subscriber_and_only_what_is_subscribed_to(ros, rig):
    calls = []
    infer = rig.node._perception.engine.infer
    rig.node._perception.engine.infer = lambda *a: calls.append(a[1]) or infer(*a)
    rig.images.publish(image_message(1))
    wait_for(lambda: rig.counters.idle == 1)
    assert (calls, rig.counters.received, rig.counters.published) == ([], 1, 0)
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    rig.wait_for_subscribers()
    rig.images.publish(image_message(2))
    wait_for(lambda: masks)
    assert calls == [frozenset({'labels'})]
    assert (rig.counters.idle, rig.counters.received) == (1, 2)


def test_an_image_without_camera_info_has_mask_and_depth_but_no_cloud(ros, rig, log):
    depths = ros.collect(Image, '/hydranet/depth/image')
    clouds = ros.collect(PointCloud2, '/hydranet/points')
    rig.wait_for_subscribers(2)
    for count, second in enumerate((1, 2, 3, 4), start=1):
        rig.images.publish(image_message(second))
        wait_for(lambda n=count: len(depths) == n)
    rig.send_info()
    rig.images.publish(image_message(5))
    wait_for(lambda: clouds)
    assert seconds(clouds) == [5]
    assert log().count('No camera info on /camera_info') == 1


def test_compressed_images_are_processed(ros, tiny_model):
    rig = Rig(ros, model=str(tiny_model), image_transport='compressed')
    images = ros.client.create_publisher(CompressedImage, 'image/compressed', 1)
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    wait_for(images.get_subscription_count)
    rig.wait_for_subscribers()
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:24, :, 0], pixels[24:, :, 2] = 200, 204
    data = cv2.imencode('.png', pixels)[1].tobytes()
    images.publish(CompressedImage(header=header(3), format='png', data=data))
    wait_for(lambda: masks)
    mask = np.frombuffer(masks[0].data, np.uint8).reshape(48, 64)
    assert seconds(masks) == [3]
    assert (mask[:24] == 0).all() and (mask[24:] == 2).all()


def test_a_failed_frame_is_one_log_line_and_the_next_is_processed(ros, rig, log):
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    rig.wait_for_subscribers()
    for count in (1, 2, 3):
        bad = image_message(count)
        bad.step = 10
        rig.images.publish(bad)
        wait_for(lambda n=count: rig.counters.failed == n)
    assert 'step is 10' in rig.node._statistics.last_error
    rig.images.publish(image_message(9))
    wait_for(lambda: masks)
    assert seconds(masks) == [9]
    assert rig.node._statistics.last_error == ''
    wait_for(lambda: log().count('frame failed: ') == 1)


def test_different_errors_of_frames_are_both_logged_once(ros, rig, log):
    ros.collect(Image, '/hydranet/segmentation/mask')
    rig.wait_for_subscribers()
    for number in range(6):
        bad = image_message(number)
        bad.step, bad.encoding = (10, 'rgb8') if number % 2 else (bad.step, 'rainbow9')
        rig.images.publish(bad)
        wait_for(lambda n=number: rig.counters.failed == n + 1)
    wait_for(lambda: log().count('frame failed: ') == 2)
    assert log().count('rainbow9') == 1 and log().count('step is 10') == 1


def test_an_unexpected_error_is_logged_with_its_type(ros, rig, log):
    def broken(*arguments):
        raise ZeroDivisionError('division\nby zero')

    rig.node._perception.engine.infer = broken
    ros.collect(Image, '/hydranet/segmentation/mask')
    rig.wait_for_subscribers()
    rig.images.publish(image_message(1))
    wait_for(lambda: 'frame failed: ZeroDivisionError: division by zero\n' in log())


def test_an_error_after_the_shutdown_of_the_context_is_no_failure(domain_id, tiny_model, log):
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain_id)
    node = HydranetNode(
        context=context, parameter_overrides=[Parameter('model', value=str(tiny_model))]
    )
    node._autostart()

    def shut_down(*arguments):
        context.shutdown()
        raise RuntimeError('the publisher is invalid')

    node._process = shut_down
    node._outputs.wanted = lambda: frozenset({Output.MASK})
    node._on_image(image_message(1), None)
    assert node._statistics.counters.failed == 0
    node.destroy_node()
    assert 'frame failed' not in log()


def test_a_gap_in_the_numbers_of_images_is_a_drop(rig):
    for number in (1, 2, 5):
        rig.node._on_image(image_message(number), ((7,), number))
    assert rig.counters.dropped == 2


def test_an_inactive_node_ignores_an_image(rig):
    rig.node._active = False
    rig.node._on_image(image_message(1), None)
    assert rig.counters.received == 0


def test_a_manager_leads_the_node_through_its_states(idle):
    assert idle.state() == 'unconfigured'
    for name, state in (
        ('configure', 'inactive'), ('activate', 'active'), ('deactivate', 'inactive'),
        ('cleanup', 'unconfigured'), ('configure', 'inactive'), ('activate', 'active'),
    ):  # fmt: skip
        assert idle.change(name)
        assert idle.state() == state
    idle.wait_until_connected()


@pytest.mark.parametrize(
    ('path', 'wrong'),
    [
        ([], ['activate', 'deactivate', 'cleanup']),
        (['configure'], ['configure', 'deactivate']),
        (['configure', 'activate'], ['configure', 'activate', 'cleanup']),
    ],
)
def test_a_transition_out_of_order_is_refused_and_changes_nothing(idle, path, wrong):
    for name in path:
        assert idle.change(name)
    before = idle.state()
    for name in wrong:
        assert not idle.change(name)
        assert idle.state() == before


def test_only_an_active_node_processes_images(ros, idle):
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    assert idle.change('configure')
    assert idle.images.get_subscription_count() == 0
    assert idle.change('activate')
    idle.wait_until_connected()
    idle.wait_for_subscribers()
    idle.images.publish(image_message(2))
    wait_for(lambda: masks)
    assert idle.change('deactivate')
    wait_for(lambda: idle.images.get_subscription_count() == 0)
    assert idle.node._perception is not None, 'the model stays loaded'
    assert idle.change('activate')
    idle.wait_until_connected()
    idle.images.publish(image_message(4))
    wait_for(lambda: len(masks) == 2)
    assert seconds(masks) == [2, 4]


def test_an_activation_restarts_counters_and_camera(rig):
    rig.send_info()
    rig.node._on_image(image_message(1), None)
    assert rig.change('deactivate')
    assert rig.node._camera.info is not None
    assert rig.change('activate')
    assert (rig.counters.received, rig.node._camera.info) == (0, None)


def test_cleanup_leaves_no_model_publisher_or_subscription(ros, rig):
    closed = []
    engine = rig.node._perception.engine
    close = engine.close
    engine.close = lambda: closed.append(1) or close()
    rig.send_info()
    assert rig.change('deactivate') and rig.change('cleanup')
    assert closed == [1]
    node = rig.node
    assert (node._perception, node._outputs, node._path, node._inputs) == (None,) * 4
    assert node._camera.info is None
    wait_for(lambda: ros.client.count_publishers('/hydranet/points') == 0)
    wait_for(lambda: rig.images.get_subscription_count() == 0)
    assert ros.client.count_publishers('/hydranet/timing') == 1


def test_shutdown_frees_everything(ros, rig):
    assert str(ros.run(rig.node.trigger_shutdown)).endswith('SUCCESS')
    assert rig.node._perception is None and rig.node._inputs is None
    assert rig.state() == 'finalized'


def test_a_destroyed_node_has_freed_everything(ros, tiny_model):
    node = HydranetNode(
        context=ros.context, parameter_overrides=[Parameter('model', value=str(tiny_model))]
    )
    node._autostart()
    assert node._perception is not None and node._active
    node.destroy_node()
    assert node._perception is None and not node._active


def test_a_failed_configure_is_one_error_and_can_be_repeated(ros, tmp_path, tiny_model, log):
    rig = Rig(ros, model=str(tmp_path / 'none.onnx'), autostart=False, diagnostics_period=0.1)
    arrays = ros.collect(DiagnosticArray, '/diagnostics')
    assert not rig.change('configure')
    assert rig.state() == 'unconfigured'
    wait_for(lambda: log().count('configure failed: ') == 1)
    wait_for(lambda: arrays and arrays[-1].status[0].level == DiagnosticStatus.ERROR)
    message = arrays[-1].status[0].message
    assert message.startswith('configure failed: ') and 'none.onnx' in message
    assert rig.set('model', str(tiny_model)).successful
    assert rig.change('configure')
    wait_for(lambda: arrays[-1].status[0].level == DiagnosticStatus.STALE)
    assert rig.node._transition_error == ''


def test_a_configure_that_fails_at_its_end_frees_the_model(idle, monkeypatch):
    def fail():
        raise OSError('no libc')

    monkeypatch.setattr(module, 'release_memory', fail)
    assert not idle.change('configure')
    assert idle.node._perception is None and idle.node._outputs is None
    assert idle.node._transition_error == 'configure failed: OSError: no libc'


def test_a_failed_activate_leaves_no_subscription(idle, monkeypatch):
    def fail(*arguments):
        raise RuntimeError('invalid topic')

    assert idle.change('configure')
    monkeypatch.setattr(module, 'Subscriptions', fail)
    assert not idle.change('activate')
    assert not idle.node._active and idle.node._inputs is None
    assert idle.node._transition_error == 'activate failed: RuntimeError: invalid topic'


def test_an_error_of_rclpy_after_a_failed_transition_frees_everything(ros, rig):
    assert ros.run(lambda: rig.node.on_error(None)) == module._SUCCESS
    assert rig.node._perception is None and not rig.node._active


def test_a_failed_autostart_names_the_commands_to_run(ros, tmp_path, log):
    Rig(ros, model=str(tmp_path / 'none.onnx'))
    line = (
        'The node did not start. Fix the error above, then run: ros2 lifecycle set /hydranet '
        'configure && ros2 lifecycle set /hydranet activate'
    )
    wait_for(lambda: line in log(), what='the line in the log')


def test_an_autostart_that_fails_to_activate_names_the_commands_too(
    ros, tiny_model, monkeypatch, log
):
    def fail(*arguments):
        raise RuntimeError('invalid topic')

    monkeypatch.setattr(module, 'Subscriptions', fail)
    rig = Rig(ros, model=str(tiny_model))
    wait_for(lambda: 'The node did not start.' in log(), what='the line in the log')
    assert log().index('activate failed: ') < log().index('The node did not start.')
    assert rig.state() == 'inactive'


def test_autostart_is_due_at_once(ros, tiny_model):
    node = HydranetNode(
        context=ros.context, parameter_overrides=[Parameter('model', value=str(tiny_model))]
    )
    assert node._start_timer.timer_period_ns == 0
    node.destroy_node()


def test_a_new_node_is_reported_as_inactive(idle):
    status = idle.node._health()
    assert (status.level, status.message) == (DiagnosticStatus.STALE, 'not active')
    assert facts(status)['preset'] == 'street' and 'provider' not in facts(status)


def test_autostart_happens_once(ros, rig):
    assert rig.change('deactivate')
    done = threading.Event()
    rig.node.create_timer(0.05, done.set)
    wait_for(done.is_set, what='a later timer')
    assert rig.state() == 'inactive'


def test_configure_logs_model_provider_and_duration_and_activate_the_topics(ros, tiny_model, log):
    rig = Rig(ros, model=str(tiny_model))
    wait_for(lambda: 'active: /image, /camera_info' in log())
    assert re.search(r'tiny\.onnx loaded on cpu in \d+\.\d\d s', log())
    assert rig.state() == 'active', 'the service responds after the whole autostart'
    assert 'did not start' not in log()


def test_the_logged_duration_is_that_of_the_configuration(idle, monkeypatch, log):
    clock = SteadyTime()
    monkeypatch.setattr(module, 'time', clock)
    choose = module.choose_model

    def slow(*arguments, **options):
        clock.now += 61.25
        return choose(*arguments, **options)

    monkeypatch.setattr(module, 'choose_model', slow)
    assert idle.change('configure')
    wait_for(lambda: 'tiny.onnx loaded on cpu in 61.25 s' in log())


def test_warnings_of_a_fallback_are_logged(ros, monkeypatch, tiny_model, log):
    from hydranet_ros.model_files.resolve import ChosenModel

    chosen = ChosenModel(tiny_model, ('The model falls back.',))
    monkeypatch.setattr(module, 'choose_model', lambda *a, **k: chosen)
    Rig(ros).wait_until_connected()
    wait_for(lambda: 'The model falls back.' in log())


def test_warnings_of_the_engine_are_logged(ros, monkeypatch, tiny_model, log):
    class WithWarning(module.Engine):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self._device_warnings = ('The engine runs on the CPU.',)

    monkeypatch.setattr(module, 'Engine', WithWarning)
    Rig(ros, model=str(tiny_model)).wait_until_connected()
    wait_for(lambda: 'The engine runs on the CPU.' in log())


def test_warnings_of_the_post_processing_are_logged(ros, monkeypatch, tiny_model, log):
    class WithWarning(module.Perception):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.warnings = ('Post-processing runs on the CPU.',)

    monkeypatch.setattr(module, 'Perception', WithWarning)
    Rig(ros, model=str(tiny_model)).wait_until_connected()
    wait_for(lambda: 'Post-processing runs on the CPU.' in log())


def test_the_model_of_preset_and_domain_is_used(ros, monkeypatch, tiny_model):
    from hydranet_ros.model_files.resolve import ChosenModel

    calls = []

    def choose(preset, **options):
        calls.append((preset, options))
        return ChosenModel(tiny_model)

    monkeypatch.setattr(module, 'choose_model', choose)
    Rig(ros, preset='nyud_kitti', domain='nyud', model='m').wait_until_connected()
    assert calls == [('nyud_kitti', {'domain': 'nyud', 'model': 'm'})]


def test_the_network_runs_once_before_the_first_frame(ros, monkeypatch, tiny_model):
    sizes = []
    warm_up = module.Engine.warm_up
    monkeypatch.setattr(
        module.Engine, 'warm_up', lambda self, *size: sizes.append(size) or warm_up(self, *size)
    )
    rig = Rig(ros, model=str(tiny_model))
    rig.wait_until_connected()
    provider = rig.node._perception.engine.provider
    assert sizes == [(64, 96) if provider == 'cpu' else (48, 64)]


def test_a_gpu_is_prepared_for_the_native_size(idle, monkeypatch):
    sizes = []

    class OnGpu(module.Engine):
        provider = 'cuda'

        def warm_up(self, *size):
            sizes.append(size)

    monkeypatch.setattr(module, 'Engine', OnGpu)
    assert idle.change('configure')
    assert sizes == [(48, 64)]


@pytest.mark.parametrize(
    ('name', 'value'), [('overlay_alpha', 0.2), ('max_depth', 30.0), ('depth_colormap', 'viridis')]
)
def test_a_live_parameter_changes_the_settings_of_perception(rig, name, value):
    assert rig.set(name, value).successful
    assert rig.node._perception.settings == PerceptionSettings(**{name: value})
    assert getattr(rig.node.settings, name) == value


@pytest.mark.parametrize(
    ('name', 'value', 'reason'),
    [
        ('overlay_alpha', 1.5, 'overlay_alpha'),
        ('cloud_stride', 0, 'cloud_stride'),
        ('depth_encoding', '64FC1', 'allowed: 32FC1, 16UC1'),
        ('provider', 'cuda', 'cannot change while the node is configured'),
        ('autostart', False, 'autostart'),
    ],
)
def test_an_invalid_change_is_refused_with_the_reason(rig, name, value, reason):
    before = rig.node.settings
    result = rig.set(name, value)
    assert not result.successful
    assert reason in result.reason
    assert rig.node.settings == before


def test_a_parameter_of_the_next_configure_changes_before_it(idle):
    assert idle.set('threads', 1).successful
    assert idle.node.settings.threads == 1
    assert idle.change('configure')
    assert idle.node._perception.engine.options.threads == 1


def test_a_parameter_of_another_owner_is_accepted(rig):
    before = rig.node.settings
    assert rig.set('use_sim_time', True).successful
    assert rig.node.settings == before


def test_depth_in_millimeters_is_published_after_the_change(ros, rig):
    depths = ros.collect(Image, '/hydranet/depth/image')
    rig.wait_for_subscribers()
    assert rig.set('depth_encoding', '16UC1').successful
    rig.images.publish(image_message(1))
    wait_for(lambda: depths)
    depth = np.frombuffer(depths[0].data, np.uint16).reshape(48, 64)
    assert depths[0].encoding == '16UC1'
    assert (depth[:24] == 0).all() and (np.abs(depth[24:].astype(int) - 9000) <= 1).all()


def test_depth_follows_the_focal_length_unless_disabled(ros, rig):
    depths = ros.collect(Image, '/hydranet/depth/image')
    rig.wait_for_subscribers()
    rig.send_info(camera_info(focal=50.0))
    for count, (enabled, expected) in enumerate(((True, 4.5), (False, 9.0)), start=1):
        assert rig.set('scale_by_focal_length', enabled).successful
        rig.images.publish(image_message(count))
        wait_for(lambda n=count: len(depths) == n)
        depth = np.frombuffer(depths[-1].data, np.float32)
        assert np.nanmax(depth) == pytest.approx(expected, rel=1e-5)


def test_pixels_below_min_confidence_become_unlabeled_while_the_node_runs(ros, rig):
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    rig.wait_for_subscribers()
    rig.images.publish(image_message(1))
    wait_for(lambda: len(masks) == 1)
    assert rig.set('min_confidence', 1.0).successful
    rig.images.publish(image_message(2))
    wait_for(lambda: len(masks) == 2)
    before, after = (np.frombuffer(mask.data, np.uint8) for mask in masks)
    assert 255 not in before and (after == 255).all()


def test_images_above_max_pixels_are_refused_after_the_change(ros, rig):
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    rig.wait_for_subscribers()
    assert rig.set('max_pixels', 48 * 64 - 1).successful
    rig.images.publish(image_message(1))
    wait_for(lambda: rig.counters.failed == 1)
    assert 'max_pixels allows 3071' in rig.node._statistics.last_error
    assert rig.set('max_pixels', 48 * 64).successful
    rig.images.publish(image_message(2))
    wait_for(lambda: masks)


def test_the_period_of_diagnostics_changes_at_once(ros, tiny_model):
    rig = Rig(ros, model=str(tiny_model), diagnostics_period=60.0)
    assert rig.set('diagnostics_period', 0.1).successful
    arrays = ros.collect(DiagnosticArray, '/diagnostics')
    wait_for(lambda: len(arrays) >= 3)


@pytest.mark.parametrize(
    ('name', 'value', 'error', 'reason'),
    [
        ('preset', 'mars', PresetError, 'mars'),
        ('provider', 'abacus', ParameterError, 'allowed: auto'),
        ('image_transport', 'pigeon', ParameterError, 'allowed: raw, compressed'),
        ('max_age', 1, ParameterError, r'max_age.*\(write a float with a decimal point: 1.0\)'),
        ('cloud_stride', 1000, ParameterError, 'cloud_stride'),
    ],
)
def test_an_invalid_parameter_at_the_start_is_an_error(ros, name, value, error, reason):
    with pytest.raises(error, match=reason):
        HydranetNode(context=ros.context, parameter_overrides=[Parameter(name, value=value)])


def test_a_preset_sets_defaults_that_the_user_can_override(ros, tmp_path):
    text = (ROOT / 'config' / 'street.yaml').read_text()
    path = tmp_path / 'mine.yaml'
    path.write_text(text + 'node:\n  max_depth: 60.0\n  cloud_stride: 3\n')
    rig = Rig(ros, preset=str(path), cloud_stride=5, autostart=False)
    assert (rig.node.settings.max_depth, rig.node.settings.cloud_stride) == (60.0, 5)
    assert rig.node.settings.preset == str(path)


def test_timing_has_stages_age_and_counts_of_the_frame(ros, rig):
    timings = ros.collect(DiagnosticStatus, '/hydranet/timing')
    ros.collect(Image, '/hydranet/segmentation/mask')
    rig.wait_for_subscribers()
    wait_for(rig.node._diagnostics.timing_requested)
    rig.images.publish(image_message(1))
    wait_for(lambda: timings)
    assert timings[0].name == '/hydranet: timing'
    values = facts(timings[0])
    assert {'decode_ms', 'engine_ms', 'publish_ms', 'total_ms', 'age_ms'} <= set(values)
    assert (values['frames_in'], values['frames_out']) == ('1', '1')


def test_diagnostics_have_preset_provider_model_and_counts(ros, rig):
    assert rig.set('diagnostics_period', 0.1).successful
    arrays = ros.collect(DiagnosticArray, '/diagnostics')
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    rig.wait_for_subscribers()
    rig.images.publish(image_message(1))
    wait_for(lambda: masks and arrays and facts(arrays[-1].status[0])['frames_out'] == '1')
    (status,) = arrays[-1].status
    values = facts(status)
    assert (status.name, status.hardware_id) == ('/hydranet', 'cpu')
    assert (values['preset'], values['provider'], values['model']) == (
        'street', 'cpu', 'tiny.onnx',
    )  # fmt: skip


def test_diagnostics_report_the_camera_and_the_age(ros, tiny_model):
    rig = Rig(ros, model=str(tiny_model), max_age=2.0)
    rig.wait_until_connected()
    rig.node._statistics.record_arrival(None, time.monotonic())
    rig.node._statistics.record_frame(3.0, time.monotonic())
    assert rig.node._health().message == 'results are 3.00 s old (max_age 2 s)'
    rig.node._camera.problem = 'no camera info'
    assert rig.node._health().message == 'no camera info'


@pytest.mark.parametrize('seconds_old', [7, -7], ids=['past', 'future'])
def test_the_age_is_the_age_at_arrival_and_the_processing_time(rig, monkeypatch, seconds_old):
    begin = time.monotonic()
    now = rig.node.get_clock().now().nanoseconds
    message = image_message(now // 10**9 - seconds_old)
    message.header.stamp.nanosec = now % 10**9
    monkeypatch.setattr(rig.node._path, 'run', lambda *a, **k: {'total': 2500.0})
    rig.node._process(message, frozenset({Output.MASK}))
    elapsed = time.monotonic() - begin
    expected = seconds_old + 2.5
    assert expected - 0.001 < rig.node._statistics.ages[-1] < expected + 0.001 + elapsed


def test_a_clock_that_jumps_back_does_not_stop_the_node(ros, rig):
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    rig.wait_for_subscribers()
    for count, second in enumerate((100, 50, 10), start=1):
        rig.images.publish(image_message(second))
        wait_for(lambda n=count: len(masks) == n)
    assert seconds(masks) == [100, 50, 10]


def test_simulated_time_that_jumps_back_is_followed(ros, tiny_model):
    """As when a bag is played in a loop."""
    rig = Rig(ros, model=str(tiny_model), use_sim_time=True)
    rig.wait_until_connected()
    clocks = ros.client.create_publisher(Clock, '/clock', 1)
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    timings = ros.collect(DiagnosticStatus, '/hydranet/timing')
    wait_for(clocks.get_subscription_count)
    rig.wait_for_subscribers()
    wait_for(rig.node._diagnostics.timing_requested)
    for count, second in enumerate((100, 101, 10, 11), start=1):
        clocks.publish(Clock(clock=image_message(second).header.stamp))
        wait_for(lambda s=second: rig.node.get_clock().now().seconds_nanoseconds()[0] == s)
        rig.images.publish(image_message(second))
        wait_for(lambda n=count: len(masks) == len(timings) == n)
        values = facts(timings[-1])
        assert float(values['age_ms']) == pytest.approx(float(values['total_ms']), abs=0.002)
    assert seconds(masks) == [100, 101, 10, 11]


def test_services_are_served_between_two_frames(ros, rig):
    """Each frame takes 0.1 s, and a newer image always waits."""
    infer = rig.node._perception.engine.infer
    processed = []

    def slow(*arguments):
        time.sleep(0.1)
        processed.append(1)
        return infer(*arguments)

    rig.node._perception.engine.infer = slow
    ros.collect(Image, '/hydranet/segmentation/mask')
    rig.wait_for_subscribers()
    ros.client.create_timer(0.01, lambda: rig.images.publish(image_message(1)))
    wait_for(lambda: len(processed) > 2)
    for value in (0.3, 0.4):
        before = len(processed)
        assert rig.set('overlay_alpha', value).successful
        assert rig.state() == 'active'
        assert len(processed) - before <= 8, 'the services waited for many frames'
    assert rig.change('deactivate')


def test_the_outputs_are_those_of_the_model(ros, tmp_path, rig):
    assert set(rig.node._outputs._publishers) == available(TWO_TASKS)
    three = make_model(tmp_path / 'three.onnx', tasks=('segmentation', 'depth', 'normals'))
    assert rig.change('deactivate') and rig.change('cleanup')
    assert rig.set('model', str(three)).successful
    assert rig.change('configure') and rig.change('activate')
    rig.wait_until_connected()
    assert set(rig.node._outputs._publishers) == set(OUTPUTS)
    normals = ros.collect(Image, '/hydranet/normals/image')
    rig.wait_for_subscribers()
    rig.images.publish(image_message(1))
    wait_for(lambda: normals)
    assert normals[0].encoding == '32FC3'


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_thousand_rounds_of_all_transitions_succeed(idle):
    for _ in range(1000):
        for name in ('configure', 'activate', 'deactivate', 'cleanup'):
            assert idle.change(name)
