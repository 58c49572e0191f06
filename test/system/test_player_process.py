"""A player that ends does not take its last image with it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from command import hydranet
from conftest import wait_for
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from hydranet_ros.images.files import write_image
from hydranet_ros.ros.dds_profile import PUBLICATION_MODE


@pytest.mark.parametrize(
    ('status', 'mode'), [(0, 'ASYNCHRONOUS'), (2, 'SYNCHRONOUS')], ids=['success', 'error']
)
def test_the_last_image_reaches_reliable_and_best_effort_subscribers(ros, tmp_path, status, mode):
    """Also if the user lets all of ROS publish asynchronously, and if the next image is broken."""
    received = [
        ros.collect(Image, '/camera/image', QoSProfile(depth=1, reliability=policy))
        for policy in (ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE)
    ]
    image = np.zeros((1080, 1920, 3), np.uint8)
    write_image(tmp_path / '1.png', image)
    if status:
        (tmp_path / '2.png').write_text('no image')
    done = hydranet(
        'play', tmp_path, '--wait', 60, '--subscribers', 2, '--delay', 0.5,
        ROS_DOMAIN_ID=str(ros.domain), **{PUBLICATION_MODE: mode},
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    wait_for(lambda: all(received), what=lambda: f'received {[len(item) for item in received]}')
    assert all(len(item[0].data) == image.nbytes for item in received)
