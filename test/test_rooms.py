"""Rooms: labels, depth and poses are exact, nothing meets anything, same seed, same bytes."""

from __future__ import annotations

import hashlib
import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from hydranet_ros.errors import SceneError
from hydranet_ros.model_files.preset import load_classes
from hydranet_scenes import bag as scene_bag
from hydranet_scenes import room_bath, room_furniture, room_props, room_storage, room_walls
from hydranet_scenes.dataset import DEPTH_SCALE, render_dataset
from hydranet_scenes.renderer import Pose, RawFrame, StreetRenderer
from hydranet_scenes.room import Layout, Room
from hydranet_scenes.room_builder import Bounds, RoomBuilder, rotation
from hydranet_scenes.room_classes import Nyud
from hydranet_scenes.room_kit import Kit
from hydranet_scenes.room_layouts import KINDS, build_room
from hydranet_scenes.room_look import (
    IndoorAppearance,
    mild_indoor,
    openness,
    varied_indoor,
)
from hydranet_scenes.room_views import hand_held, nyud_camera
from hydranet_scenes.room_walk import Walk
from hydranet_scenes.room_walls import THICK

SIZE = (72, 96)
CAMERA = nyud_camera(SIZE)
VIEWS = 6


class View:
    """A room of one kind, its renderer, and what is seen from some of its places."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.room: Room = build_room(20 + KINDS.index(kind))
        try:
            self.renderer = StreetRenderer(self.room, SIZE)
        except SceneError as err:
            pytest.skip(f'rooms cannot be rendered here: {err}')
        rng = np.random.default_rng(1)
        self.poses = [hand_held(rng, self.room) for _ in range(VIEWS)]
        self.frames = [self.renderer.render(pose, CAMERA.fx) for pose in self.poses]


@pytest.fixture(scope='module')
def views():
    """Return what gives the view of a kind, made when first asked for."""
    made: dict[str, View] = {}

    def get(kind: str) -> View:
        if kind not in made:
            made[kind] = View(kind)
        return made[kind]

    yield get
    for view in made.values():
        view.renderer.close()


@pytest.fixture(params=KINDS)
def view(request: pytest.FixtureRequest, views) -> View:
    return views(request.param)


def in_room(frame: RawFrame, pose: Pose) -> np.ndarray:
    """Return each pixel's point, (H, W, 3) metres, by K, depth and pose alone."""
    height, width = frame.depth.shape
    v, u = np.mgrid[:height, :width]
    rays = np.stack([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, u * 0 + 1.0], -1)
    points = (rays * frame.depth[..., None]) @ pose.rotation().T
    return points + (pose.x, pose.y, pose.z)


def test_ids_are_those_of_the_class_table():
    names = [item.name.replace(' ', '_').upper() for item in load_classes('nyud40')]
    assert names == [item.name for item in Nyud]


def test_every_pixel_has_a_class_and_a_depth(view: View):
    for frame in view.frames:
        assert frame.labels.max() < len(Nyud), 'a room is closed: nothing is unlabelled'
        assert np.isfinite(frame.depth).all() and frame.depth.dtype == np.float32
        assert frame.depth.min() > 0.15 and frame.depth.max() < 10.0


def test_labels_and_depth_are_those_of_ray_casting(view: View):
    """MuJoCo's own ray caster, which shares no code with OpenGL, finds the same, edges too."""
    mujoco = pytest.importorskip('mujoco')
    rng, hit, agreed = np.random.default_rng(0), np.zeros(1, np.int32), []
    for pose, frame in zip(view.poses, view.frames):
        points, start = in_room(frame, pose), np.array([pose.x, pose.y, pose.z])
        for row, column in rng.integers((0, 0), SIZE, (80, 2)):
            ray = points[row, column] - start
            length = float(np.linalg.norm(ray))
            found = mujoco.mj_ray(
                view.renderer._model, view.renderer._data, start, ray / length, None, 1, -1, hit
            )
            same_class = view.renderer._classes[hit[0]] == frame.labels[row, column]
            agreed.append(same_class and math.isclose(found, length, rel_tol=0.01))
    assert np.mean(agreed) > 0.97


def test_floor_walls_and_ceiling_unproject_onto_the_room(view: View):
    """Floor pixels land on z = 0, ceiling pixels on the room's height, walls on its sides."""
    width, depth, high = view.room.size
    floor = 0
    for pose, frame in zip(view.poses, view.frames):
        points = in_room(frame, pose)
        ground = points[frame.labels == Nyud.FLOOR]
        floor += len(ground)
        assert np.abs(ground[:, 2]).max(initial=0.0) < 0.01 * pose.z
        top = points[frame.labels == Nyud.CEILING]
        assert np.abs(top[:, 2] - high).max(initial=0.0) < 0.01 * high
        x, y, _ = points[frame.labels == Nyud.WALL].T
        off = np.minimum.reduce([np.abs(x), np.abs(x - width), np.abs(y), np.abs(y - depth)])
        assert (off < THICK + 0.03).all()
    assert floor > 500


def test_no_piece_meets_another_or_leaves_the_room(view: View):
    pieces = view.room.pieces
    assert len(pieces) >= 8
    for index, piece in enumerate(pieces):
        assert not any(piece.meets(other, 0.001) for other in pieces[:index])
        assert (
            min(piece.low) > -THICK
            and (np.array(piece.high) < np.add(view.room.size, THICK)).all()
        )


def test_pieces_take_up_what_they_say(view: View):
    """Every geom, by MuJoCo's own bounding boxes, lies within the box its piece was placed by."""
    model, data = view.renderer._model, view.renderer._data
    shell = {Nyud.WALL, Nyud.FLOOR, Nyud.CEILING}
    boxes = [(np.array(piece.low) - 0.003, np.array(piece.high) + 0.003)
             for piece in view.room.pieces]  # fmt: skip
    checked = 0
    for index in range(model.ngeom):
        if view.renderer._classes[index] in shell:
            continue
        turn = data.geom_xmat[index].reshape(3, 3)
        centre = data.geom_xpos[index] + turn @ model.geom_aabb[index, :3]
        # A mesh's frame is MuJoCo's own choice: its vertices bound it, a box would be too large.
        mesh = model.geom_dataid[index]
        if mesh >= 0:
            first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
            points = model.mesh_vert[first : first + count] @ turn.T + data.geom_xpos[index]
            low, high = points.min(0), points.max(0)
        else:
            reach = np.abs(turn) @ model.geom_aabb[index, 3:]
            low, high = centre - reach, centre + reach
        assert any((a <= low).all() and (high <= b).all() for a, b in boxes)
        checked += 1
    assert checked > 50


def test_a_camera_in_the_hand_is_never_in_or_at_furniture(view: View):
    """Rays in all directions from where the camera stands find nothing within 15 cm."""
    mujoco = pytest.importorskip('mujoco')
    rng, hit = np.random.default_rng(3), np.zeros(1, np.int32)
    ways = np.random.default_rng(4).standard_normal((60, 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    poses = [*view.poses, *(hand_held(rng, view.room) for _ in range(4))]
    for pose in poses:
        assert 1.0 <= pose.z <= 1.8 and view.room.is_free(pose.x, pose.y, pose.z)
        start = np.array([pose.x, pose.y, pose.z])
        for way in ways:
            found = mujoco.mj_ray(
                view.renderer._model, view.renderer._data, start, way, None, 1, -1, hit
            )
            assert found > 0.15


def test_nobody_stands_in_furniture(view: View):
    for piece in view.room.pieces:
        middle = (np.array(piece.low) + np.array(piece.high)) / 2
        if piece.low[2] < 1.3 and piece.high[2] > 0.05:
            assert not view.room.is_free(middle[0], middle[1], 1.3)
    assert not view.room.is_free(-0.5, 1.0, 1.4)


def test_a_full_room_has_no_place_for_a_camera_and_says_so():
    room = Room('bedroom', (3.0, 3.0, 2.5), RoomBuilder(), [Bounds((0, 0, 0), (3, 3, 1))])
    with pytest.raises(SceneError, match='This bedroom has no free place'):
        hand_held(np.random.default_rng(0), room)
    room.pieces[:] = [Bounds((0, 0, 0), (3, 2, 1))]
    assert room.clearance() == 0.25 and hand_held(np.random.default_rng(0), room).y > 2.25


def test_a_walk_is_smooth_and_keeps_off_furniture(view: View):
    way = Walk(view.room, np.random.default_rng(2))
    poses = [way.pose(0.1 * index) for index in range(250)]
    assert all(view.room.is_free(pose.x, pose.y, pose.z, 0.15) for pose in poses)
    places = np.array([(pose.x, pose.y, pose.z) for pose in poses])
    steps, turns = np.diff(places, axis=0), np.diff([pose.yaw for pose in poses])
    assert np.linalg.norm(steps, axis=1).max() < 0.1
    assert np.linalg.norm(np.diff(steps, axis=0), axis=1).max() < 0.06
    assert np.abs(turns).max() < 0.15 and np.ptp(places[:, :2], axis=0).max() > 0.1


def test_a_walk_s_twist_is_its_poses_change(view: View):
    way = Walk(view.room, np.random.default_rng(2))
    for seconds in (0.5, 2.3, 4.1):
        velocity, turning = way.twist(seconds)
        here, there = way.pose(seconds), way.pose(seconds + 0.05)
        moved = np.array([there.x - here.x, there.y - here.y, there.z - here.z])
        assert np.allclose(here.rotation() @ velocity * 0.05, moved, atol=0.006)
        turn = cv2.Rodrigues(turning * 0.05)[0]
        assert np.allclose(here.rotation() @ turn, there.rotation(), atol=0.01)


def test_thirty_frames_show_most_classes(views):
    """Six views of a room of each kind show at least 25 of the 40 classes."""
    assert {views(kind).room.kind for kind in KINDS} == set(KINDS)
    frames = [frame for kind in KINDS for frame in views(kind).frames]
    assert len(np.unique([frame.labels for frame in frames])) >= 25


FURNITURE = (
    lambda kit: room_furniture.bed(kit, single=False), lambda kit: room_furniture.sofa(kit, 3),
    lambda kit: room_furniture.desk(kit, office=True), room_furniture.dining_table,
    room_furniture.coffee_table, room_furniture.lone_chair, room_furniture.ottoman,
    lambda kit: room_storage.dresser(kit, mirror=True), room_storage.night_stand,
    room_storage.wardrobe, lambda kit: room_storage.cabinet(kit, tv=True),
    room_storage.filing_cabinet, room_storage.bookshelf, room_storage.shelves,
    room_storage.refrigerator, room_bath.toilet, room_bath.wash_stand,
    lambda kit: room_bath.bathtub(kit, 1.7), lambda kit: room_bath.mat(kit, 1.0, 0.6),
    lambda kit: room_storage.kitchen_run(kit, 2.4, sink=True, stove=True),
    room_props.floor_lamp, room_props.plant, room_props.boxes, room_props.bag, room_props.bin_,
    room_props.clothes_on_floor, room_props.person, room_walls.door,
    lambda kit: room_walls.radiator(kit, 1.0), lambda kit: room_walls.fireplace(kit, 2.5),
)  # fmt: skip


@pytest.mark.parametrize('make', FURNITURE)
def test_furniture_stands_on_the_floor_in_an_empty_room(make):
    """What reaches below the floor would never find a place."""
    for seed in range(4):
        room = Room('', (6.0, 6.0, 2.6), RoomBuilder())
        layout = Layout(room, Kit(room.builder, np.random.default_rng(seed)))
        piece = make(layout.kit)
        assert -0.001 <= piece.low[2] <= 0.01 and piece.high[2] < 2.501
        assert layout.put(piece, 3.0, 3.0, 0.0) is not None
        assert layout.put(piece, 3.0, 3.0, 0.0) is None, 'the place is taken'


def test_bounds_meet_only_where_they_overlap():
    unit = Bounds((0, 0, 0), (1, 1, 1))
    assert unit.meets(Bounds((0.5, 0.5, 0.5), (2, 2, 2)))
    assert not unit.meets(Bounds((1, 0, 0), (2, 1, 1)))
    assert not unit.meets(Bounds((0, 0, 1.2), (1, 1, 2)))


@pytest.mark.parametrize(
    ('angles', 'point', 'expected'),
    [((90, 0, 0), (0, 1, 0), (0, 0, 1)), ((0, 90, 0), (0, 0, 1), (1, 0, 0)),
     ((0, 0, 90), (1, 0, 0), (0, 1, 0)), ((90, 0, 90), (0, 1, 0), (0, 0, 1))],
)  # fmt: skip
def test_rotations_turn_about_x_then_z(angles, point, expected):
    assert np.allclose(rotation(*angles) @ point, expected)


def test_nyud_s_camera_keeps_its_field_of_view():
    assert nyud_camera((480, 640)).fx == 518.8579
    assert math.isclose(nyud_camera((240, 320)).fx, 518.8579 / 2)


def test_corners_get_less_light_than_open_walls():
    """A wall seen square on is open; where two walls meet, each takes light from the other."""
    flat = np.full((60, 80), 2.0, np.float32)
    assert openness(flat, 70.0)[5:-5, 5:-5].min() > 0.95
    u = (np.arange(80) - 39.5) / 70.0
    corner = np.broadcast_to(3 / (1 + np.abs(u)), (60, 80)).astype(np.float32)
    light = openness(corner, 70.0)
    assert light[30, 38:42].max() < 0.85 < light[30, 10]


@pytest.mark.parametrize('look', [mild_indoor, varied_indoor])
def test_the_photograph_keeps_its_size_and_is_the_seed_s(view: View, look):
    def develop(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return IndoorAppearance(rng, look(rng), CAMERA.fx).apply(view.frames[0])

    photo = develop(3)
    assert photo.shape == (*SIZE, 3) and photo.dtype == np.uint8
    assert np.array_equal(photo, develop(3)) and not np.array_equal(photo, develop(4))
    assert photo.std() > 5


def test_the_data_set_s_files_agree_with_its_manifest(tmp_path: Path):
    """A frame rendered anew from the manifest's pose and focal length is the one on disk."""
    manifest = json.loads(render_dataset(tmp_path, count=1, seed=7, size=(48, 64), kind='rooms')
                          .read_text())  # fmt: skip
    assert (manifest['kind'], manifest['classes']) == ('rooms', 'nyud40')
    record = manifest['frames'][0]
    with StreetRenderer(build_room(700_000), (48, 64)) as renderer:
        truth = renderer.render(Pose(**record['pose']), record['fx'])
    name = str(tmp_path / record['name'])
    labels = cv2.imread(f'{name}.labels.png', cv2.IMREAD_UNCHANGED)
    depth = cv2.imread(f'{name}.depth.png', cv2.IMREAD_UNCHANGED)
    assert np.array_equal(labels, truth.labels) and depth.dtype == np.uint16
    assert np.allclose(depth / DEPTH_SCALE, truth.depth, atol=0.003)


def test_a_folder_of_another_size_or_an_unknown_kind_is_refused(tmp_path: Path):
    cv2.imwrite(str(tmp_path / 'room_0_0.labels.png'), np.zeros((48, 64), np.uint8))
    with pytest.raises(SceneError, match='holds frames of 64x48, not 80x60'):
        render_dataset(tmp_path, count=1, size=(60, 80), kind='rooms')
    with pytest.raises(SceneError, match='allowed: streets, old_town, rooms'):
        render_dataset(tmp_path / 'other', count=1, kind='gardens')
    with pytest.raises(SceneError, match='allowed: streets, old_town, rooms'):
        scene_bag.write_drive(tmp_path / 'bag', kind='gardens')
    assert not (tmp_path / 'bag').exists()


def start(folder: Path, kind: str, *options: str) -> subprocess.Popen:
    """Start the real command in a process of its own."""
    command = [sys.executable, '-m', 'hydranet_ros', 'scenes', str(folder), '--kind', kind,
               '--seed', '3', '--size', '64x48', *options]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen) -> None:
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()


def hashes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob('*')) if path.is_file()}  # fmt: skip


@pytest.mark.parametrize('kind', ['streets', 'old_town', 'rooms'])
def test_the_same_seed_gives_the_same_bytes_in_every_process(kind: str, tmp_path: Path):
    """
    Data set and bag by the real command in processes of their own, and again in this one.

    The data set's run is killed midway and run again.
    """
    for name in ('there', 'here'):
        (tmp_path / name).mkdir()
    bag = start(tmp_path / 'there' / 'bag', kind, '--bag', '--count', '1')
    killed = start(tmp_path / 'killed', kind, '--count', '2')
    until = time.monotonic() + 60
    while not list((tmp_path / 'killed').glob('*.depth.png')):
        assert killed.poll() is None and time.monotonic() < until
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not (tmp_path / 'killed' / 'manifest.json').exists(), 'killed too late to tell'
    resumed = start(tmp_path / 'killed', kind, '--count', '2')
    render_dataset(tmp_path / 'whole', count=2, seed=3, size=(48, 64), kind=kind)
    scene_bag.write_drive(tmp_path / 'here' / 'bag', frames=1, seed=3, size=(48, 64), kind=kind)
    finish(resumed)
    finish(bag)
    assert len(hashes(tmp_path / 'whole')) == 3 * 2 + 1
    assert hashes(tmp_path / 'killed') == hashes(tmp_path / 'whole')
    assert len(hashes(tmp_path / 'here')) == 2
    assert hashes(tmp_path / 'here') == hashes(tmp_path / 'there')


def test_a_walk_s_bag_holds_pictures_truth_and_odometry(tmp_path: Path):
    """Classes of rooms, NYUD's camera, and the pose that the depth was rendered from."""
    rosbags = pytest.importorskip('rosbags.highlevel')
    out = scene_bag.write_drive(
        tmp_path / 'bag', frames=2, seed=21, size=SIZE, depth_every=1, kind='rooms'
    )
    got: dict[str, list] = {}
    with rosbags.AnyReader([out]) as reader:
        for connection, moment, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            assert message.header.stamp.sec * 10**9 + message.header.stamp.nanosec == moment
            got.setdefault(connection.topic, []).append(message)
    assert {topic: len(messages) for topic, messages in got.items()} == {
        '/camera/image/compressed': 2, '/camera/camera_info': 2, '/ground_truth/labels': 2,
        '/ground_truth/depth': 2, '/odom': 2,
    }  # fmt: skip
    assert math.isclose(got['/camera/camera_info'][0].k[0], CAMERA.fx)
    labels, depth = (cv2.imdecode(got[f'/ground_truth/{name}'][1].data, cv2.IMREAD_UNCHANGED)
                     for name in ('labels', 'depth'))  # fmt: skip
    assert labels.shape == depth.shape == SIZE and labels.max() < len(Nyud)
    odometry = got['/odom'][1]
    pose = Walk(build_room(21), np.random.default_rng((333, 21))).pose(0.1)
    position = odometry.pose.pose.position
    assert np.allclose((position.x, position.y, position.z), (pose.x, pose.y, pose.z))
    frame = RawFrame(np.zeros((*SIZE, 3), np.uint8), labels, depth.astype(np.float32) / 1000)
    floor = in_room(frame, pose)[labels == Nyud.FLOOR]
    assert len(floor) and np.abs(floor[:, 2]).max() < 0.02
    assert odometry.child_frame_id == 'camera_optical'
    assert abs(odometry.twist.twist.angular.y) > 1e-4
