"""Where cameras stand in rooms, and the frames of a data set of rooms."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from hydranet_ros.errors import SceneError
from hydranet_ros.camera.model import CameraModel
from hydranet_scenes.dataset import FrameRecord, frame_files, write_frame
from hydranet_scenes.renderer import Pose, StreetRenderer
from hydranet_scenes.room import Room
from hydranet_scenes.room_layouts import build_room
from hydranet_scenes.room_look import IndoorAppearance, varied_indoor

NYUD_FOCAL, NYUD_WIDTH = 518.8579, 640
# Side of the maps of shadows: lamps throw them wide, so 1024 pixels would show steps.
SHADOWS = 2048
_LOW, _HIGH = 1.0, 1.8


def nyud_camera(size: tuple[int, int]) -> CameraModel:
    """Return NYUD's camera at (height, width): the same horizontal field of view."""
    height, width = size
    focal = NYUD_FOCAL * width / NYUD_WIDTH
    return CameraModel(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)


def hand_held(rng: np.random.Generator, room: Room) -> Pose:
    """
    Return a pose anywhere free in the room that looks across it, never within furniture.

    Of two dozen places the one is taken that sees furthest and most furniture.

    :raises SceneError: if no place is free.
    """
    best, found = -1.0, None
    clearance = room.clearance()
    for attempt in range(4000):
        x, y = rng.uniform((0.0, 0.0), room.size[:2])
        z, yaw = rng.uniform(_LOW, _HIGH), rng.uniform(-np.pi, np.pi)
        if attempt > 400 and found is not None:
            break
        if not room.is_free(x, y, z, clearance):
            continue
        pitch = rng.normal(-0.26, 0.13) - 0.12 * (z - _LOW)
        pose = Pose(x, y, z, yaw, float(np.clip(pitch, -0.7, 0.25)), rng.normal(0, 0.04))
        value = _value(room, pose)
        if value > best:
            best, found = value, pose
        if best > 0 and rng.random() < 0.04:
            break
    if found is None:
        raise SceneError('The room has no free place for a camera. Choose another seed.')
    return Pose(**{key: round(float(value), 6) for key, value in asdict(found).items()})


def _value(room: Room, pose: Pose) -> float:
    """Return how much a view shows: its free way ahead and the furniture in it."""
    start = np.array([pose.x, pose.y, pose.z])
    turns = np.linspace(-0.45, 0.45, 7)
    ahead = pose.rotation() @ np.stack([np.tan(turns), 0 * turns, np.ones(7)])
    ahead /= np.linalg.norm(ahead, axis=0)
    far = room.clear_distance(start, ahead.T)
    if far.min() < 0.5:
        return -0.5
    seen = 0.0
    for piece in room.pieces:
        middle = (np.array(piece.low) + np.array(piece.high)) / 2
        x, y, z = (middle - start) @ pose.rotation()
        if z > 0.5 and abs(x) < 0.6 * z and abs(y) < 0.45 * z:
            seen += 1.0
    return float(np.mean(np.minimum(far, 3.0))) + 0.5 * seen


def render_room(
    out: Path, seed: int, index: int, size: tuple[int, int], views: int
) -> list[FrameRecord]:
    """Render one room's frames into a data set, or find them there; return their records."""
    room_seed = seed * 100_000 + index
    room = build_room(room_seed)
    rng = np.random.default_rng((222, room_seed))
    focal = nyud_camera(size).fx
    records = [
        FrameRecord(f'room_{room_seed:09d}_{view}',
                    round(focal * float(np.exp(rng.uniform(-0.12, 0.12))), 4),
                    asdict(hand_held(rng, room)))
        for view in range(views)
    ]  # fmt: skip
    if all(path.is_file() for record in records for path in frame_files(out, record.name)):
        return records
    with StreetRenderer(room, size, shadow_map=SHADOWS) as renderer:
        for record in records:
            look_rng = np.random.default_rng((444, room_seed, int(record.name[-1])))
            frame = renderer.render(Pose(**record.pose), record.fx)
            look = IndoorAppearance(look_rng, varied_indoor(look_rng), record.fx)
            quality = int(look_rng.integers(75, 96))
            write_frame(out, record.name, frame, look.apply(frame), quality=quality)
    return records
