"""Labels and depth agree with the geometry of the scene, in streets and in rooms."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scene_views import ROOM_CAMERA, STREET_CAMERA, share_confirmed_by_ray_casting, unproject

from hydranet_scenes.rendering.pose import Pose
from hydranet_scenes.rooms.classes import Nyud
from hydranet_scenes.rooms.shell import WALL_THICKNESS
from hydranet_scenes.streets.classes import CAR, ROAD, SKY


def inner(mask: np.ndarray) -> np.ndarray:
    """Return a mask without the pixels at its edge."""
    return cv2.erode(mask.astype(np.uint8), np.ones((3, 3))).astype(bool)


def test_only_sky_has_no_depth(street_view):
    frame = street_view.frame
    assert np.array_equal(np.isnan(frame.depth), frame.labels == SKY)
    assert frame.depth.dtype == np.float32 and np.nanmin(frame.depth) > 0


@pytest.mark.parametrize(
    'rotation', [{}, {'yaw': 0.3}, {'pitch': -0.1}, {'roll': 0.08}, {'yaw': -0.2, 'pitch': 0.05}]
)
def test_road_pixels_unproject_onto_the_road(street_view, rotation: dict):
    """They are at z = 0 within 1 % of the camera's height."""
    street = street_view.street
    pose = Pose(3.0, street.lane_y, **rotation)
    frame = street_view.render(pose)
    points = unproject(frame, STREET_CAMERA, pose)[inner(frame.labels == ROAD)]
    assert len(points) > 500
    assert np.abs(points[:, 2]).max() < 0.01 * pose.z
    assert np.abs(points[:, 1]).max() < street.road_half_width + 125


def test_street_labels_and_depth_agree_with_ray_casting(street_view):
    """MuJoCo's ray caster shares no code with OpenGL."""
    pose = Pose(10.0, street_view.street.lane_y, yaw=0.1)
    frame = street_view.render(pose)
    known = np.argwhere(np.isfinite(frame.depth) & (frame.depth < 60))
    pixels = known[np.random.default_rng(0).choice(len(known), 200, replace=False)]
    share = share_confirmed_by_ray_casting(
        street_view.renderer, frame, STREET_CAMERA, pose, pixels
    )
    assert share > 0.97


def test_two_poses_see_the_same_point_where_it_projects(street_view):
    lane_y = street_view.street.lane_y
    first, second = Pose(2.0, lane_y), Pose(3.5, lane_y + 0.3, yaw=0.04)
    before, after = street_view.render(first), street_view.render(second)
    points = unproject(before, STREET_CAMERA, first)[inner(before.labels == ROAD)]
    x, y, z = ((points - (second.x, second.y, second.z)) @ second.rotation()).T
    u = np.rint(x / z * STREET_CAMERA.fx + STREET_CAMERA.cx).astype(int)
    v = np.rint(y / z * STREET_CAMERA.fy + STREET_CAMERA.cy).astype(int)
    visible = (z > 0) & (u >= 0) & (v >= 0) & (u < STREET_CAMERA.width)
    visible &= v < STREET_CAMERA.height
    assert visible.sum() > 300
    assert (after.labels[v[visible], u[visible]] == ROAD).mean() > 0.97


def test_a_moved_car_moves_in_labels_and_depth(street_view):
    renderer, car = street_view.renderer, street_view.street.traffic[0]
    pose = Pose(car.x - 9, car.y)
    before = street_view.render(pose)
    renderer.move_body(car.body, (car.x + 300, car.y, 0))
    after = street_view.render(pose)
    renderer.move_body(car.body, (car.x, car.y, 0))
    row, column = STREET_CAMERA.height // 2 + 6, STREET_CAMERA.width // 2
    assert before.labels[row, column] == CAR and 5 < before.depth[row, column] < 9
    assert not np.isclose(after.depth[row, column], before.depth[row, column])


def test_every_pixel_of_a_room_has_a_class_and_a_depth(room_view):
    for frame in room_view.frames:
        assert frame.labels.max() < len(Nyud)
        assert np.isfinite(frame.depth).all() and frame.depth.dtype == np.float32
        assert frame.depth.min() > 0.15 and frame.depth.max() < 10.0


def test_room_labels_and_depth_agree_with_ray_casting(room_view):
    rng = np.random.default_rng(0)
    size = (ROOM_CAMERA.height, ROOM_CAMERA.width)
    shares = [
        share_confirmed_by_ray_casting(
            room_view.renderer, frame, ROOM_CAMERA, pose, rng.integers((0, 0), size, (80, 2))
        )
        for pose, frame in zip(room_view.poses, room_view.frames)
    ]
    assert np.mean(shares) > 0.97


def test_floor_ceiling_and_walls_unproject_onto_the_room(room_view):
    width, depth, height = room_view.room.size
    floor_pixels = 0
    for pose, frame in zip(room_view.poses, room_view.frames):
        points = unproject(frame, ROOM_CAMERA, pose)
        floor = points[frame.labels == Nyud.FLOOR]
        floor_pixels += len(floor)
        assert np.abs(floor[:, 2]).max(initial=0.0) < 0.01 * pose.z
        ceiling = points[frame.labels == Nyud.CEILING]
        assert np.abs(ceiling[:, 2] - height).max(initial=0.0) < 0.01 * height
        x, y, _ = points[frame.labels == Nyud.WALL].T
        off = np.minimum.reduce([np.abs(x), np.abs(x - width), np.abs(y), np.abs(y - depth)])
        assert (off < WALL_THICKNESS + 0.03).all()
    assert floor_pixels > 500
