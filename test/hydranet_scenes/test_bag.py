"""Bags of drives and walks."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from scene_views import ROOM_CAMERA, unproject

from hydranet_ros.errors import SceneError
from hydranet_scenes.bag import write_drive
from hydranet_scenes.rendering.renderer import RenderedFrame
from hydranet_scenes.rooms.classes import Nyud
from hydranet_scenes.rooms.generator import build_room
from hydranet_scenes.rooms.walk import Walk
from hydranet_scenes.streets.classes import OTHER

rosbags = pytest.importorskip('rosbags.highlevel')


def read_bag(path: Path) -> dict[str, list]:
    """Return the messages of each topic; each is recorded at its stamp."""
    messages: dict[str, list] = {}
    with rosbags.AnyReader([path]) as reader:
        for connection, recorded, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            stamp = message.header.stamp
            assert stamp.sec * 10**9 + stamp.nanosec == recorded
            messages.setdefault(connection.topic, []).append(message)
    return messages


def decode(message) -> np.ndarray:
    return cv2.imdecode(message.data, cv2.IMREAD_UNCHANGED)


def test_a_drive_holds_images_ground_truth_and_odometry(street_view, tmp_path: Path):
    bag = read_bag(write_drive(tmp_path / 'bag', frames=2, seed=2, size=(48, 80), depth_every=2))
    assert {topic: len(messages) for topic, messages in bag.items()} == {
        '/camera/image/compressed': 2, '/camera/camera_info': 2, '/ground_truth/labels': 2,
        '/ground_truth/depth': 1, '/odom': 2,
    }  # fmt: skip
    for message in bag['/ground_truth/labels']:
        labels = decode(message)
        assert labels.shape == (48, 80) and set(np.unique(labels)) <= {*range(6), OTHER}
    stamps = [message.header.stamp for message in bag['/odom']]
    assert [stamp.nanosec for stamp in stamps] == [0, 10**8]
    assert bag['/odom'][0].twist.twist.linear.z == 6.0


def test_a_walk_holds_the_pose_that_the_depth_was_rendered_from(room_views, tmp_path: Path):
    room_views('bedroom')  # Skips where MuJoCo cannot render.
    size = (ROOM_CAMERA.height, ROOM_CAMERA.width)
    bag = read_bag(write_drive(
        tmp_path / 'bag', frames=2, seed=21, size=size, depth_every=1, kind='rooms'
    ))  # fmt: skip
    assert {len(messages) for messages in bag.values()} == {2} and len(bag) == 5
    assert math.isclose(bag['/camera/camera_info'][0].k[0], ROOM_CAMERA.fx)
    labels, depth = (decode(bag[f'/ground_truth/{name}'][1]) for name in ('labels', 'depth'))
    assert labels.shape == depth.shape == size and labels.max() < len(Nyud)
    odometry = bag['/odom'][1]
    pose = Walk(build_room(21), np.random.default_rng((333, 21))).pose(0.1)
    position = odometry.pose.pose.position
    assert np.allclose((position.x, position.y, position.z), (pose.x, pose.y, pose.z))
    image = np.zeros((*size, 3), np.uint8)
    frame = RenderedFrame(image, labels, depth.astype(np.float32) / 1000)
    floor = unproject(frame, ROOM_CAMERA, pose)[labels == Nyud.FLOOR]
    assert len(floor) and np.abs(floor[:, 2]).max() < 0.02
    assert odometry.child_frame_id == 'camera_optical'
    assert abs(odometry.twist.twist.angular.y) > 1e-4


def test_an_unknown_kind_is_refused(tmp_path: Path):
    with pytest.raises(SceneError, match="'gardens'; allowed: streets, old_town, rooms"):
        write_drive(tmp_path / 'bag', kind='gardens')
    assert not (tmp_path / 'bag').exists()
