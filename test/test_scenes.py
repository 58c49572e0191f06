"""Streets: the same seed gives the same bytes; labels, depth and poses are exact."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from hydranet_ros.errors import HydranetError
from hydranet_scenes import bag as scene_bag
from hydranet_scenes.appearance import Appearance, mild_look, varied_look
from hydranet_scenes.builder import CAR, OTHER, ROAD, SKY
from hydranet_scenes.dataset import DEPTH_SCALE, render_dataset
from hydranet_scenes.drive import kitti_camera, pose_at
from hydranet_scenes.renderer import Pose, RawFrame, StreetRenderer
from hydranet_scenes.street import STREET_KINDS, Street, build_street

SIZE = (96, 192)
FOCAL = kitti_camera(SIZE).fx


@pytest.fixture(scope='module')
def street() -> Street:
    return build_street(8)


@pytest.fixture(scope='module')
def renderer(street: Street):
    try:
        renderer = StreetRenderer(street, SIZE)
    except HydranetError as err:
        pytest.skip(f'streets cannot be rendered here: {err}')
    with renderer:
        yield renderer


@pytest.fixture(scope='module')
def frame(renderer: StreetRenderer, street: Street) -> RawFrame:
    return renderer.render(Pose(0.0, street.lane), FOCAL)


def in_street(frame: RawFrame, pose: Pose) -> np.ndarray:
    """Return each pixel's point, (H, W, 3) metres, by K, depth and pose alone."""
    height, width = frame.depth.shape
    v, u = np.mgrid[:height, :width]
    camera = kitti_camera((height, width))
    rays = np.stack([(u - camera.cx) / FOCAL, (v - camera.cy) / FOCAL, np.ones_like(u)], -1)
    points = (rays * frame.depth[..., None]) @ pose.rotation().T
    return points + (pose.x, pose.y, pose.z)


def inner(mask: np.ndarray) -> np.ndarray:
    return cv2.erode(mask.astype(np.uint8), np.ones((3, 3))).astype(bool)


def test_a_street_shows_what_a_street_has(frame: RawFrame):
    """Sky, road and sidewalk fill a KITTI picture, beside cars, houses or trees."""
    shares = np.bincount(frame.labels.ravel(), minlength=256) / frame.labels.size
    assert shares[SKY] > 0.05 and shares[ROAD] > 0.1
    assert (shares[:6] > 0).sum() >= 5
    assert shares[6:255].sum() == 0


def test_an_old_town_is_narrow_and_full_of_cars():
    """Of the same seeds, and in the middle: seeds differ more than kinds do."""
    wide, narrow = ([build_street(seed, STREET_KINDS[kind]) for seed in range(8)]
                    for kind in ('streets', 'old_town'))  # fmt: skip
    assert np.mean([s.half_road for s in narrow]) < np.mean([s.half_road for s in wide])
    assert np.mean([len(s.parked) for s in narrow]) > np.mean([len(s.parked) for s in wide])
    on_sidewalk = [abs(car.y) > s.half_road - 0.6 for s in narrow for car in s.parked]
    assert 0.3 < np.mean(on_sidewalk) < 1


def test_both_kinds_of_streets_may_share_a_folder(tmp_path: Path):
    try:
        for kind in ('streets', 'old_town'):
            render_dataset(tmp_path, count=1, seed=2, size=(48, 64), kind=kind)
    except HydranetError as err:
        pytest.skip(f'streets cannot be rendered here: {err}')
    pictures = sorted(path.name for path in tmp_path.glob('*.jpg'))
    assert pictures == ['000200000_0.jpg', 'old_town_000200000_0.jpg']
    assert (tmp_path / pictures[0]).read_bytes() != (tmp_path / pictures[1]).read_bytes()


def test_sky_and_only_sky_has_no_depth(frame: RawFrame):
    assert np.array_equal(np.isnan(frame.depth), frame.labels == SKY)
    assert frame.depth.dtype == np.float32 and np.nanmin(frame.depth) > 0


@pytest.mark.parametrize(
    'turn', [{}, {'yaw': 0.3}, {'pitch': -0.1}, {'roll': 0.08}, {'yaw': -0.2, 'pitch': 0.05}]
)
def test_road_pixels_unproject_onto_the_road(renderer, street: Street, turn: dict):
    """The height of the road, 0, comes out within 1 % of the camera's height."""
    pose = Pose(3.0, street.lane, **turn)
    frame = renderer.render(pose, FOCAL)
    road = inner(frame.labels == ROAD)
    points = in_street(frame, pose)[road]
    assert len(points) > 500
    assert np.abs(points[:, 2]).max() < 0.01 * pose.z
    assert np.abs(points[:, 1]).max() < street.half_road + 125


def test_labels_and_depth_are_those_of_ray_casting(renderer, street: Street):
    """MuJoCo's own ray caster, which shares no code with OpenGL, finds the same, edges too."""
    mujoco = pytest.importorskip('mujoco')
    pose = Pose(10.0, street.lane, yaw=0.1)
    frame = renderer.render(pose, FOCAL)
    points = in_street(frame, pose)
    rng = np.random.default_rng(0)
    known = np.argwhere(np.isfinite(frame.depth) & (frame.depth < 60))
    hit = np.zeros(1, np.int32)
    start = np.array([pose.x, pose.y, pose.z])
    agreed = []
    for row, column in known[rng.choice(len(known), 200, replace=False)]:
        ray = points[row, column] - start
        length = float(np.linalg.norm(ray))
        found = mujoco.mj_ray(
            renderer._model, renderer._data, start, ray / length, None, 1, -1, hit
        )
        same_class = renderer._classes[hit[0]] == frame.labels[row, column]
        agreed.append(same_class and math.isclose(found, length, rel_tol=0.01))
    assert np.mean(agreed) > 0.97


def test_the_camera_s_pose_moves_the_picture_as_geometry_says(renderer, street: Street):
    """A point seen from one pose is seen from another where its projection says."""
    first, second = Pose(2.0, street.lane), Pose(3.5, street.lane + 0.3, yaw=0.04)
    before, after = renderer.render(first, FOCAL), renderer.render(second, FOCAL)
    flat = inner(before.labels == ROAD)
    points = in_street(before, first)[flat]
    local = (points - (second.x, second.y, second.z)) @ second.rotation()
    camera = kitti_camera(SIZE)
    u = np.rint(local[:, 0] / local[:, 2] * FOCAL + camera.cx).astype(int)
    v = np.rint(local[:, 1] / local[:, 2] * FOCAL + camera.cy).astype(int)
    seen = (local[:, 2] > 0) & (u >= 0) & (v >= 0) & (u < SIZE[1]) & (v < SIZE[0])
    assert seen.sum() > 300
    assert (after.labels[v[seen], u[seen]] == ROAD).mean() > 0.97


def test_a_moved_car_moves_in_labels_and_depth(renderer, street: Street):
    assert street.traffic, 'the seed of these tests must have traffic'
    car = street.traffic[0]
    pose = Pose(car.x - 9, car.y)
    here = renderer.render(pose, FOCAL)
    renderer.move_car(car, car.x + 300)
    gone = renderer.render(pose, FOCAL)
    renderer.move_car(car, car.x)
    middle = SIZE[0] // 2 + 6, SIZE[1] // 2
    assert here.labels[middle] == CAR and 5 < here.depth[middle] < 9
    assert not np.isclose(gone.depth[middle], here.depth[middle])


def test_a_camera_never_starts_inside_a_car(street: Street):
    for car in (*street.parked, *street.traffic):
        assert not street.is_free(car.x, car.y)
    assert street.is_free(-500.0, 0.0)


@pytest.mark.parametrize('seed', range(6))
def test_the_drive_meets_no_car(seed: int):
    """Along the whole way of the demo no car comes closer than one passes in traffic."""
    street = build_street(seed)
    for seconds in np.arange(0, 6, 0.1):
        pose = pose_at(float(seconds), street.lane)
        for car in (*street.parked, *street.traffic):
            ahead = abs(car.x + car.speed * seconds - pose.x) < car.length / 2 + 0.3
            assert not (ahead and abs(car.y - pose.y) < 1.1)


@pytest.mark.parametrize('look', [mild_look, varied_look])
def test_the_photograph_keeps_its_size_and_is_the_seed_s(frame: RawFrame, look):
    def develop(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return Appearance(rng, look(rng)).apply(frame)

    photo = develop(3)
    assert photo.shape == (*SIZE, 3) and photo.dtype == np.uint8
    assert np.array_equal(photo, develop(3))
    assert not np.array_equal(photo, develop(4))
    assert photo.std() > 5


def read_tree(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_same_seed_gives_the_same_bytes_even_when_stopped_and_resumed(
    renderer, tmp_path: Path
):
    first = tmp_path / 'first'
    render_dataset(first, count=3, seed=5, size=(48, 80))
    whole = read_tree(first)
    manifest = json.loads(whole['manifest.json'])
    names = [record['name'] for record in manifest['frames']]
    assert len(whole) == 3 * 3 + 1 and manifest['depth_scale'] == DEPTH_SCALE
    (first / f'{names[1]}.depth.png').unlink()
    render_dataset(first, count=3, seed=5, size=(48, 80))
    assert read_tree(first) == whole
    other = tmp_path / 'other'
    render_dataset(other, count=1, seed=6, size=(48, 80))
    assert set(read_tree(other)) & set(whole) == {'manifest.json'}


def test_the_data_set_s_files_agree_with_its_manifest(renderer, tmp_path: Path):
    """A frame rendered anew from the manifest's pose and focal length is the one on disk."""
    render_dataset(tmp_path, count=2, seed=5, size=SIZE)
    manifest = json.loads((tmp_path / 'manifest.json').read_text())
    again = StreetRenderer(build_street(500_000), SIZE)
    with again:
        for record in manifest['frames']:
            truth = again.render(Pose(**record['pose']), record['fx'])
            name = str(tmp_path / record['name'])
            depth = cv2.imread(f'{name}.depth.png', cv2.IMREAD_UNCHANGED)
            labels = cv2.imread(f'{name}.labels.png', cv2.IMREAD_UNCHANGED)
            assert depth.dtype == np.uint16 and np.array_equal(labels, truth.labels)
            near = truth.depth * DEPTH_SCALE < 65535
            assert np.allclose(depth[near] / DEPTH_SCALE, truth.depth[near], atol=0.003)
            assert not depth[~near].any()
            assert cv2.imread(f'{name}.jpg').shape == (*SIZE, 3)


def test_millimetres_say_0_where_depth_is_unknown_or_too_far():
    depth = np.array([[1.0, np.nan, 65.5, 65.6]], np.float32)
    assert scene_bag.millimetres(depth).tolist() == [[1000, 0, 65500, 0]]


@pytest.mark.parametrize('turn', [{}, {'yaw': 1.0}, {'pitch': 0.4, 'roll': -0.2}])
def test_quaternion_turns_as_its_matrix(turn: dict):
    rotation = Pose(0, 0, **turn).rotation()
    x, y, z, w = scene_bag.quaternion(rotation)
    point = np.array([0.3, -0.5, 2.0])
    axis = np.array([x, y, z])
    turned = point + 2 * np.cross(axis, np.cross(axis, point) + w * point)
    assert np.allclose(turned, rotation @ point)


def test_a_drive_s_bag_holds_pictures_truth_and_odometry(renderer, tmp_path: Path):
    """Every topic is there with the camera's stamps; the same seed gives the same bytes."""
    rosbags = pytest.importorskip('rosbags.highlevel')
    for name in ('one', 'two'):
        (tmp_path / name).mkdir()
    out = scene_bag.write_drive(
        tmp_path / 'one' / 'bag', frames=3, seed=2, size=(48, 80), depth_every=2
    )
    counts: dict[str, int] = {}
    stamps: dict[str, list] = {}
    with rosbags.AnyReader([out]) as reader:
        for connection, moment, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            stamp = message.header.stamp
            assert stamp.sec * 10**9 + stamp.nanosec == moment
            counts[connection.topic] = counts.get(connection.topic, 0) + 1
            stamps.setdefault(connection.topic, []).append(moment)
            if connection.topic == '/ground_truth/labels':
                labels = cv2.imdecode(message.data, cv2.IMREAD_UNCHANGED)
                assert labels.shape == (48, 80) and set(np.unique(labels)) <= {*range(6), OTHER}
    assert counts == {
        '/camera/image/compressed': 3, '/camera/camera_info': 3, '/ground_truth/labels': 3,
        '/ground_truth/depth': 2, '/odom': 3,
    }  # fmt: skip
    assert np.diff(stamps['/odom']).tolist() == [10**8] * 2
    again = scene_bag.write_drive(
        tmp_path / 'two' / 'bag', frames=3, seed=2, size=(48, 80), depth_every=2
    )
    pair = [next(folder.glob('*.mcap')).read_bytes() for folder in (out, again)]
    assert pair[0] == pair[1]
