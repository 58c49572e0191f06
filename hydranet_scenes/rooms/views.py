"""Sample camera poses in a room and render the frames of a room data set."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from hydranet_ros.errors import SceneError
from hydranet_scenes.frame_files import FrameRecord, is_complete, write_frame
from hydranet_scenes.rendering.cameras import nyud_camera
from hydranet_scenes.rendering.pose import Pose
from hydranet_scenes.rendering.renderer import SceneRenderer
from hydranet_scenes.rooms.appearance import RoomAppearance, varied_appearance
from hydranet_scenes.rooms.generator import build_room
from hydranet_scenes.rooms.room import Room

# Side of the shadow maps in pixels. Lamps light a wide angle, so smaller maps show steps.
SHADOW_MAP_SIZE = 2048
# Height range of a handheld camera, in meters.
_MIN_HEIGHT, _MAX_HEIGHT = 1.0, 1.8


def sample_handheld_pose(rng: np.random.Generator, room: Room) -> Pose:
    """
    Return the pose of a handheld camera at a free position in the room.

    Of several random poses it is the one that sees farthest and shows the most furniture.

    :raises SceneError: if no position is free.
    """
    best_score, best_pose = -1.0, None
    clearance = room.camera_clearance()
    for attempt in range(4000):
        x, y = rng.uniform((0.0, 0.0), room.size[:2])
        z, yaw = rng.uniform(_MIN_HEIGHT, _MAX_HEIGHT), rng.uniform(-np.pi, np.pi)
        if attempt > 400 and best_pose is not None:
            break
        if not room.is_free(x, y, z, clearance):
            continue
        pitch = rng.normal(-0.26, 0.13) - 0.12 * (z - _MIN_HEIGHT)
        pose = Pose(x, y, z, yaw, float(np.clip(pitch, -0.7, 0.25)), rng.normal(0, 0.04))
        score = _view_score(room, pose)
        if score > best_score:
            best_score, best_pose = score, pose
        if best_score > 0 and rng.random() < 0.04:
            break
    if best_pose is None:
        raise SceneError('The room has no free position for a camera. Choose another seed.')
    return Pose(**{key: round(float(value), 6) for key, value in asdict(best_pose).items()})


def _view_score(room: Room, pose: Pose) -> float:
    """Return the mean distance to the next surface plus half the number of visible pieces."""
    start = np.array([pose.x, pose.y, pose.z])
    angles = np.linspace(-0.45, 0.45, 7)
    directions = pose.rotation() @ np.stack([np.tan(angles), 0 * angles, np.ones(7)])
    directions /= np.linalg.norm(directions, axis=0)
    distances = room.ray_distances(start, directions.T)
    if distances.min() < 0.5:
        return -0.5
    visible = 0.0
    for piece in room.pieces:
        center = (np.array(piece.low) + np.array(piece.high)) / 2
        x, y, z = (center - start) @ pose.rotation()
        if z > 0.5 and abs(x) < 0.6 * z and abs(y) < 0.45 * z:
            visible += 1.0
    return float(np.mean(np.minimum(distances, 3.0))) + 0.5 * visible


def render_room(
    out: Path, seed: int, index: int, size: tuple[int, int], views: int
) -> list[FrameRecord]:
    """
    Render the frames of one room into a data set, unless they all exist.

    :param seed: seed of the data set; ``index`` the number of the room in it.
    :param size: (height, width) in pixels.
    :param views: number of frames.
    """
    room_seed = seed * 100_000 + index
    room = build_room(room_seed)
    rng = np.random.default_rng((222, room_seed))
    focal_length = nyud_camera(size).fx
    records = [
        FrameRecord(f'room_{room_seed:09d}_{view}',
                    round(focal_length * float(np.exp(rng.uniform(-0.12, 0.12))), 4),
                    asdict(sample_handheld_pose(rng, room)))
        for view in range(views)
    ]  # fmt: skip
    if all(is_complete(out, record.name) for record in records):
        return records
    with SceneRenderer(room, size, shadow_map=SHADOW_MAP_SIZE) as renderer:
        for view, record in enumerate(records):
            photo_rng = np.random.default_rng((444, room_seed, view))
            frame = renderer.render(Pose(**record.pose), record.fx)
            appearance = RoomAppearance(photo_rng, varied_appearance(photo_rng), record.fx)
            quality = int(photo_rng.integers(75, 96))
            write_frame(out, record.name, frame, appearance.apply(frame), quality=quality)
    return records
