"""The node in process, with real rclpy and DDS on a domain of its own."""

from __future__ import annotations

import time

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import wait_for
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from model_factory import make_model
from node_rig import Rig
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_tools import FRAME, camera_info, image_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, PointCloud2


@pytest.fixture
def rig(ros, tiny_model):
    made = Rig(ros, model=str(tiny_model))
    made.wait_until_connected()
    return made


def test_every_output_has_the_images_stamp_frame_and_grid(ros, rig):
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    depths = ros.collect(Image, '/hydranet/depth/image')
    clouds = ros.collect(PointCloud2, '/hydranet/points')
    infos = ros.collect(CameraInfo, '/hydranet/depth/camera_info')
    overlays = ros.collect(Image, '/hydranet/segmentation/overlay')
    wait_for(lambda: len(rig.node._outputs.wanted()) == 4, what='subscribers matched')
    rig.send_info()
    rig.images.publish(image_message(42))
    everything = (masks, depths, clouds, infos, overlays)
    wait_for(lambda: all(everything), what='all outputs')
    for message in (heard[0] for heard in everything):
        assert (message.header.stamp.sec, message.header.stamp.nanosec) == (42, 123_456_789)
        assert message.header.frame_id == FRAME
        assert (message.height, message.width) == (48, 64)
    mask = np.frombuffer(masks[0].data, np.uint8).reshape(48, 64)
    assert masks[0].encoding == 'mono8'
    assert (mask[:24] == 0).all() and (mask[24:] == 2).all()


def test_depth_and_cloud_are_metric_and_the_sky_has_neither(ros, rig):
    """The test model says red / 255 * 10 + 1 = 9 m for the road."""
    depths = ros.collect(Image, '/hydranet/depth/image')
    clouds = ros.collect(PointCloud2, '/hydranet/points')
    wait_for(lambda: len(rig.node._outputs.wanted()) == 2)
    rig.send_info()
    rig.images.publish(image_message(1))
    wait_for(lambda: depths and clouds)
    depth = np.frombuffer(depths[0].data, np.float32).reshape(48, 64)
    assert depths[0].encoding == '32FC1'
    assert np.isnan(depth[:24]).all()
    np.testing.assert_allclose(depth[24:], 9.0, rtol=1e-5)
    cloud = clouds[0]
    assert (cloud.point_step, cloud.row_step, cloud.is_dense) == (16, 16 * 64, False)
    points = np.frombuffer(cloud.data, np.float32).reshape(48, 64, 4)
    assert np.isnan(points[:24, :, :3]).all()
    np.testing.assert_allclose(
        points[40, 10, :3], [9 * (10 - 32) / 100, 9 * 16 / 100, 9], rtol=1e-5
    )
    packed = np.frombuffer(cloud.data, np.uint32).reshape(48, 64, 4)[40, 10, 3]
    assert packed & 0xFFFFFF == (204 << 16) + (100 << 8) + 50
    assert packed >> 24 == 2


def test_depth_follows_the_focal_length_unless_switched_off(ros, rig):
    depths = ros.collect(Image, '/hydranet/depth/image')
    wait_for(lambda: rig.node._outputs.wanted())
    rig.send_info(camera_info(focal=50.0))
    for second, switch, expected in ((1, True, 4.5), (2, False, 9.0)):
        assert rig.set('scale_by_focal_length', switch).successful
        rig.images.publish(image_message(second))
        wait_for(lambda n=second: len(depths) == n)
        depth = np.frombuffer(depths[-1].data, np.float32)
        np.testing.assert_allclose(np.nanmax(depth), expected, rtol=1e-5)


def test_millimetres_on_demand_with_zero_for_unknown(ros, rig):
    assert rig.set('depth_encoding', '16UC1').successful
    depths = ros.collect(Image, '/hydranet/depth/image')
    wait_for(lambda: rig.node._outputs.wanted())
    rig.images.publish(image_message(1))
    wait_for(lambda: depths)
    depth = np.frombuffer(depths[0].data, np.uint16).reshape(48, 64)
    assert depths[0].encoding == '16UC1'
    assert (depth[:24] == 0).all() and (np.abs(depth[24:].astype(int) - 9000) <= 1).all()


def test_pixels_below_min_confidence_become_unlabeled_while_the_node_runs(ros, rig):
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    wait_for(lambda: rig.node._outputs.wanted())
    rig.images.publish(image_message(1))
    wait_for(lambda: len(masks) == 1)
    assert rig.set('min_confidence', 1.0).successful
    rig.images.publish(image_message(2))
    wait_for(lambda: len(masks) == 2)
    before, after = (np.frombuffer(mask.data, np.uint8) for mask in masks)
    assert 255 not in before and (after == 255).all()


def test_nothing_is_computed_that_nobody_hears(ros, rig):
    calls = []
    infer = rig.node._perception.engine.infer
    rig.node._perception.engine.infer = lambda *a: calls.append(a[1]) or infer(*a)
    rig.images.publish(image_message(1))
    wait_for(lambda: rig.node._statistics.counters.idle == 1)
    assert calls == []
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    wait_for(lambda: rig.node._outputs.wanted())
    rig.images.publish(image_message(2))
    wait_for(lambda: masks)
    assert calls == [frozenset({'labels'})]


def test_an_image_without_camera_info_gives_mask_and_depth_but_no_cloud(ros, rig):
    depths = ros.collect(Image, '/hydranet/depth/image')
    clouds = ros.collect(PointCloud2, '/hydranet/points')
    wait_for(lambda: len(rig.node._outputs.wanted()) == 2)
    rig.images.publish(image_message(1))
    wait_for(lambda: depths)
    time.sleep(0.2)
    assert clouds == []


@pytest.mark.parametrize(
    'reliability', [ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT]
)
def test_outputs_reach_reliable_and_best_effort_subscribers(ros, rig, reliability):
    masks = ros.collect(
        Image, '/hydranet/segmentation/mask', QoSProfile(depth=1, reliability=reliability)
    )
    wait_for(lambda: rig.node._outputs.wanted())
    rig.images.publish(image_message(1))
    wait_for(lambda: masks)


def test_a_best_effort_camera_is_heard(ros, tiny_model):
    rig = Rig(ros, model=str(tiny_model))
    profile = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    rig.images = ros.client.create_publisher(Image, 'image', profile)
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    wait_for(lambda: rig.images.get_subscription_count() == 1 and rig.node._outputs.wanted())
    rig.images.publish(image_message(1))
    wait_for(lambda: masks)


def test_without_autostart_a_manager_leads_it_through_its_states(ros, tiny_model):
    rig = Rig(ros, model=str(tiny_model), autostart=False)
    assert rig.state() == 'unconfigured'
    for name, state in (
        ('configure', 'inactive'), ('activate', 'active'), ('deactivate', 'inactive'),
        ('cleanup', 'unconfigured'), ('configure', 'inactive'), ('activate', 'active'),
    ):  # fmt: skip
        assert rig.change(name)
        assert rig.state() == state
    rig.wait_until_connected()


@pytest.mark.parametrize(
    ('path', 'wrong'),
    [
        ([], ['activate', 'deactivate', 'cleanup']),
        (['configure'], ['configure', 'deactivate']),
        (['configure', 'activate'], ['configure', 'activate', 'cleanup']),
    ],
)
def test_a_transition_out_of_order_is_refused_and_changes_nothing(ros, tiny_model, path, wrong):
    rig = Rig(ros, model=str(tiny_model), autostart=False)
    for name in path:
        assert rig.change(name)
    before = rig.state()
    for name in wrong:
        assert not rig.change(name)
        assert rig.state() == before


def test_only_the_active_node_answers_images(ros, tiny_model):
    rig = Rig(ros, model=str(tiny_model), autostart=False)
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    assert rig.change('configure')
    rig.images.publish(image_message(1))
    time.sleep(0.3)
    assert masks == []
    assert rig.change('activate')
    rig.wait_until_connected()
    wait_for(lambda: rig.node._outputs.wanted())
    rig.images.publish(image_message(2))
    wait_for(lambda: masks)
    assert rig.change('deactivate')
    rig.images.publish(image_message(3))
    time.sleep(0.3)
    assert [m.header.stamp.sec for m in masks] == [2]


def test_cleanup_leaves_no_model_publisher_or_subscription(ros, rig):
    assert rig.change('deactivate') and rig.change('cleanup')
    assert rig.node._perception is None
    topics = dict(ros.client.get_topic_names_and_types())
    wait_for(lambda: ros.client.count_publishers('/hydranet/points') == 0)
    assert rig.images.get_subscription_count() == 0
    assert '/hydranet/timing' in topics


@pytest.mark.parametrize(
    ('name', 'value', 'accepted'),
    [
        ('overlay_alpha', 0.2, True),
        ('max_depth', 30.0, True),
        ('overlay_alpha', 1.5, False),
        ('cloud_stride', 0, False),
        ('depth_encoding', '64FC1', False),
        ('provider', 'cuda', False),
        ('model', 'other.onnx', False),
    ],
)
def test_a_parameter_changes_at_once_or_is_refused_with_a_reason(ros, rig, name, value, accepted):
    result = rig.set(name, value)
    assert result.successful == accepted
    if accepted:
        assert getattr(rig.node._perception.settings, name) == value
    else:
        assert result.reason


def test_services_are_answered_between_two_frames_however_many_come(ros, rig):
    """The engine is slowed to 0.2 s a frame and fed at 50 Hz all the time."""
    infer = rig.node._perception.engine.infer
    answered = []

    def slow(*arguments):
        time.sleep(0.2)
        answered.append(time.monotonic())
        return infer(*arguments)

    rig.node._perception.engine.infer = slow
    ros.collect(Image, '/hydranet/segmentation/mask')
    wait_for(lambda: rig.node._outputs.wanted())
    ros.client.create_timer(0.02, lambda: rig.images.publish(image_message(1)))
    wait_for(lambda: len(answered) > 2)
    for value in (0.3, 0.4, 0.6):
        before = len(answered)
        assert rig.set('overlay_alpha', value).successful
        assert rig.state() == 'active'
        assert len(answered) - before <= 8, 'the services waited for more than a few frames'
    assert rig.change('deactivate')


def test_diagnostics_tell_the_provider_the_model_and_the_counts(ros, rig):
    timings = ros.collect(DiagnosticStatus, '/hydranet/timing')
    arrays = ros.collect(DiagnosticArray, '/diagnostics')
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    wait_for(lambda: rig.node._outputs.wanted())
    wait_for(lambda: rig.node._diagnostics.timing_requested())
    rig.images.publish(image_message(1))
    wait_for(lambda: timings and masks)
    values = {item.key: item.value for item in timings[0].values}
    assert {'decode_ms', 'engine_ms', 'publish_ms', 'total_ms', 'age_ms'} <= set(values)
    assert (values['frames_in'], values['frames_out']) == ('1', '1')
    wait_for(
        lambda: any(a.status[0].values and a.status[0].level in (b'\0', b'\1') for a in arrays)
    )
    facts = {item.key: item.value for item in arrays[-1].status[0].values}
    assert (facts['provider'], facts['model']) == ('cpu', 'tiny.onnx')


def test_a_clock_that_jumps_back_does_not_stop_the_node(ros, rig):
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    wait_for(lambda: rig.node._outputs.wanted())
    for number, second in enumerate((100, 50, 10), start=1):
        rig.images.publish(image_message(second))
        wait_for(lambda n=number: len(masks) == n)
    assert [m.header.stamp.sec for m in masks] == [100, 50, 10]


def test_simulated_time_that_jumps_back_as_a_bag_loops_is_followed(ros, tiny_model):
    rig = Rig(ros, model=str(tiny_model), use_sim_time=True)
    rig.wait_until_connected()
    clocks = ros.client.create_publisher(Clock, '/clock', 1)
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    timings = ros.collect(DiagnosticStatus, '/hydranet/timing')
    wait_for(lambda: rig.node._outputs.wanted() and clocks.get_subscription_count())
    wait_for(lambda: rig.node._diagnostics.timing_requested())
    for number, second in enumerate((100, 101, 10, 11), start=1):
        moment = image_message(second).header.stamp
        clocks.publish(Clock(clock=moment))
        wait_for(lambda s=second: rig.node.get_clock().now().seconds_nanoseconds()[0] == s)
        rig.images.publish(image_message(second))
        wait_for(lambda n=number: len(masks) == len(timings) == n)
        age = {item.key: item.value for item in timings[-1].values}['age_ms']
        assert 0 <= float(age) < 500
    assert [m.header.stamp.sec for m in masks] == [100, 101, 10, 11]


def test_three_tasks_publish_normals(ros, tmp_path):
    model = make_model(tmp_path / 'three.onnx', tasks=('segmentation', 'depth', 'normals'))
    rig = Rig(ros, model=str(model))
    rig.wait_until_connected()
    normals = ros.collect(Image, '/hydranet/normals/image')
    wait_for(lambda: rig.node._outputs.wanted())
    rig.images.publish(image_message(1))
    wait_for(lambda: normals)
    assert normals[0].encoding == '32FC3'
    values = np.frombuffer(normals[0].data, np.float32).reshape(48, 64, 3)
    np.testing.assert_allclose(np.linalg.norm(values, axis=-1), 1, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_thousand_rounds_of_all_transitions(ros, tiny_model):
    rig = Rig(ros, model=str(tiny_model), autostart=False)
    for _ in range(1000):
        for name in ('configure', 'activate', 'deactivate', 'cleanup'):
            assert rig.change(name)
