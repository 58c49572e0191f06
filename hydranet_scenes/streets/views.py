"""Sample camera poses on a street and render the frames of a street data set."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from hydranet_scenes.frame_files import FrameRecord, is_complete, write_frame
from hydranet_scenes.rendering.cameras import kitti_camera
from hydranet_scenes.rendering.pose import Pose
from hydranet_scenes.rendering.renderer import SceneRenderer
from hydranet_scenes.streets.appearance import StreetAppearance, varied_appearance
from hydranet_scenes.streets.generator import build_street
from hydranet_scenes.streets.kinds import STREET_KINDS
from hydranet_scenes.streets.street import LENGTH, Street

# Height of KITTI's camera above the road, in meters.
KITTI_HEIGHT = 1.65


def render_street(
    kind: str, out: Path, seed: int, index: int, size: tuple[int, int], views: int
) -> list[FrameRecord]:
    """
    Render the frames of one street into a data set, unless they all exist.

    :param kind: a key of :data:`STREET_KINDS`.
    :param seed: seed of the data set; ``index`` the number of the street in it.
    :param size: (height, width) in pixels.
    :param views: number of frames.
    """
    street_seed = seed * 100_000 + index
    street = build_street(street_seed, STREET_KINDS[kind])
    rng = np.random.default_rng((202, street_seed))
    prefix = '' if kind == 'streets' else f'{kind}_'
    records = [
        FrameRecord(f'{prefix}{street_seed:09d}_{view}', *_sample_view(rng, street, size))
        for view in range(views)
    ]
    if all(is_complete(out, record.name) for record in records):
        return records
    with SceneRenderer(street, size) as renderer:
        for view, record in enumerate(records):
            photo_rng = np.random.default_rng((404, street_seed, view))
            frame = renderer.render(Pose(**record.pose), record.fx)
            image = StreetAppearance(photo_rng, varied_appearance(photo_rng)).apply(frame)
            quality = int(photo_rng.integers(70, 96))
            write_frame(out, record.name, frame, image, quality=quality)
    return records


def _sample_view(
    rng: np.random.Generator, street: Street, size: tuple[int, int]
) -> tuple[float, dict[str, float]]:
    """Return a focal length in pixels, and a pose on the road away from cars."""
    reach = street.road_half_width - 1.5
    for _ in range(50):
        x = rng.uniform(-5, LENGTH - 95)
        y = float(np.clip(street.lane_y + rng.normal(0, 0.7), -reach, reach))
        if street.is_free(x, y):
            break
    pose = Pose(
        x=x, y=y, z=rng.normal(KITTI_HEIGHT, 0.03),
        yaw=rng.normal(0, 0.07) if rng.random() < 0.85 else rng.uniform(-0.5, 0.5),
        pitch=rng.normal(0, 0.025), roll=rng.normal(0, 0.012),
    )  # fmt: skip
    focal_length = kitti_camera(size).fx * float(np.exp(rng.uniform(-0.25, 0.45)))
    values = {key: round(float(value), 6) for key, value in asdict(pose).items()}
    return round(focal_length, 4), values
