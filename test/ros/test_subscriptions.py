"""Where the node listens, with which QoS, and what it says of the camera."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import wait_for
from node_rig import Rig
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_tools import camera, header, picture
from sensor_msgs.msg import CompressedImage, Image

from hydranet_ros.errors import ParameterError
from hydranet_ros.ros.node import HydranetNode
from hydranet_ros.ros.subscriptions import Subscriptions


@pytest.mark.parametrize(
    ('transport', 'remappings', 'image', 'info'),
    [
        ('raw', [], '/ns/image', '/ns/camera_info'),
        ('raw', ['image:=/front/image_raw'], '/front/image_raw', '/front/camera_info'),
        ('raw', ['image:=cam/image', 'camera_info:=/info'], '/ns/cam/image', '/info'),
        ('compressed', [], '/ns/image/compressed', '/ns/camera_info'),
        ('compressed', ['image:=/front/rgb'], '/front/rgb/compressed', '/front/camera_info'),
        ('compressed', ['image/compressed:=/jpeg'], '/jpeg', '/ns/camera_info'),
    ],
)
def test_the_camera_info_is_the_sibling_of_the_remapped_image(
    ros, transport, remappings, image, info
):
    from rclpy.node import Node

    arguments = ['--ros-args'] + [part for item in remappings for part in ('-r', item)]
    node = ros.add(Node('n', context=ros.context, namespace='ns', cli_args=arguments))
    inputs = Subscriptions(node, transport, lambda message, number: None, lambda message: None)
    assert (inputs.image_topic, inputs.camera_info_topic) == (image, info)
    inputs.destroy()


def test_compressed_images_are_answered(ros, tiny_model):
    rig = Rig(ros, model=str(tiny_model), image_transport='compressed')
    images = ros.client.create_publisher(CompressedImage, 'image/compressed', 1)
    masks = ros.hear(Image, '/hydranet/segmentation/mask')
    wait_for(lambda: images.get_subscription_count() == 1 and rig.node._outputs.wanted())
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:24, :, 0] = 200
    pixels[24:, :, 2] = 204
    data = cv2.imencode('.png', pixels)[1].tobytes()
    images.publish(CompressedImage(header=header(3), format='png', data=data))
    wait_for(lambda: masks)
    assert masks[0].header.stamp.sec == 3 and (masks[0].height, masks[0].width) == (48, 64)


def qos_of(ros, topic: str, direction: str):
    infos = getattr(ros.client, f'get_{direction}_info_by_topic')(topic)
    wait_for(lambda: getattr(ros.client, f'get_{direction}_info_by_topic')(topic))
    infos = getattr(ros.client, f'get_{direction}_info_by_topic')(topic)
    return {item.node_name: item.qos_profile.reliability for item in infos}['hydranet']


def test_an_override_of_one_topics_qos_leaves_the_others_alone(ros, tiny_model):
    """rclpy writes an override into the profile object, which must not be shared."""
    rig = Rig(ros, model=str(tiny_model), **{
        'qos_overrides./camera_info.subscription.reliability': 'reliable',
        'qos_overrides./hydranet/segmentation/mask.publisher.reliability': 'best_effort',
    })  # fmt: skip
    rig.ready()
    best, reliable = ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE
    assert qos_of(ros, '/camera_info', 'subscriptions') == reliable
    assert qos_of(ros, '/image', 'subscriptions') == best
    assert qos_of(ros, '/hydranet/segmentation/mask', 'publishers') == best
    for topic in ('segmentation/color', 'depth/image', 'points'):
        assert qos_of(ros, f'/hydranet/{topic}', 'publishers') == reliable


def test_a_publisher_whose_qos_does_not_fit_is_named_in_the_log(ros, tiny_model, log):
    Rig(ros, model=str(tiny_model),
        **{'qos_overrides./image.subscription.reliability': 'reliable'})  # fmt: skip
    ros.client.create_publisher(
        Image, 'image', QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    )
    wait_for(lambda: 'policy reliability' in log(), what='the mismatch in the log')
    assert 'qos_overrides./image.subscription' in log()


def test_frames_without_camera_info_are_one_warning(ros, tiny_model, log):
    rig = Rig(ros, model=str(tiny_model))
    rig.ready()
    depths = ros.hear(Image, '/hydranet/depth/image')
    wait_for(lambda: rig.node._outputs.wanted())
    for second in range(1, 6):
        rig.images.publish(picture(second))
        wait_for(lambda n=second: len(depths) == n)
    assert log().count('No camera info on /camera_info') == 1


def test_a_bad_camera_info_thirty_times_a_second_is_one_line(ros, tiny_model, log):
    rig = Rig(ros, model=str(tiny_model))
    rig.ready()
    heard = []
    hear = rig.node._camera.update
    rig.node._camera.update = lambda *a, **k: heard.append(1) or hear(*a, **k)
    bad = camera()
    bad.k = [float('nan')] * 9
    for number in range(1, 20):
        rig.infos.publish(bad)
        wait_for(lambda n=number: len(heard) >= n)
    assert log().count('camera_info cannot be used') == 1
    assert 'not finite' in rig.node._camera.problem


def test_two_kinds_of_bad_frames_are_both_said_but_not_again_and_again(ros, tiny_model, log):
    rig = Rig(ros, model=str(tiny_model))
    rig.ready()
    ros.hear(Image, '/hydranet/segmentation/mask')
    wait_for(lambda: rig.node._outputs.wanted())
    for number in range(10):
        bad = picture(number)
        if number % 2:
            bad.step = 10
        else:
            bad.encoding = 'rainbow9'
        rig.images.publish(bad)
        wait_for(lambda n=number: rig.node._statistics.counters.failed == n + 1)
    time.sleep(0.1)
    assert log().count('frame failed') == 2


def test_a_parameter_of_the_wrong_type_is_an_error_that_names_it(ros):
    with pytest.raises(ParameterError, match='max_age.*1.0'):
        HydranetNode(
            context=ros.context, parameter_overrides=[Parameter('max_age', value=1)]
        )  # fmt: skip


def test_the_period_of_diagnostics_changes_at_once(ros, tiny_model):
    rig = Rig(ros, model=str(tiny_model), diagnostics_period=60.0)
    assert rig.set('diagnostics_period', 0.1).successful
    from diagnostic_msgs.msg import DiagnosticArray

    arrays = ros.hear(DiagnosticArray, '/diagnostics')
    wait_for(lambda: len(arrays) >= 3, 5)
    assert not rig.set('autostart', False).successful


def test_a_failed_configure_is_in_the_diagnostics(ros, tmp_path):
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

    Rig(ros, model=str(tmp_path / 'gone.onnx'), diagnostics_period=0.1)
    arrays = ros.hear(DiagnosticArray, '/diagnostics')
    wait_for(lambda: arrays)
    assert arrays[-1].status[0].level == DiagnosticStatus.ERROR
    assert 'gone.onnx' in arrays[-1].status[0].message
