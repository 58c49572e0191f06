"""
A data set of streets or rooms on disk.

``NAME.jpg``, ``NAME.labels.png`` (class ids, 255 unlabelled), ``NAME.depth.png`` (uint16, metres
times ``depth_scale``, 0 unknown) and ``manifest.json`` with every frame's pose and focal
length (fx = fy, pixels), and the class table's name.
The same seed gives the same bytes; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from hydranet_ros import __version__
from hydranet_ros.errors import SceneError
from hydranet_ros.files import remove_leftovers, write_atomically
from hydranet_scenes.appearance import Appearance, varied_look
from hydranet_scenes.renderer import Pose, RawFrame, StreetRenderer
from hydranet_scenes.street import LENGTH, STREET_KINDS, Street, build_street

KITTI_FOCAL, KITTI_WIDTH = 721.5377, 1242
KITTI_HEIGHT = 1.65
DEPTH_SCALE = 256
VIEWS_PER_STREET = 8
VIEWS_PER_ROOM = 4
# Kinds of scenes and the class table (config/classes/) of their labels.
CLASS_TABLES = {**dict.fromkeys(STREET_KINDS, 'kitti6'), 'rooms': 'nyud40'}


@dataclass(frozen=True)
class FrameRecord:
    """One frame of the manifest; ``fx`` in pixels, pose in metres and radians."""

    name: str
    fx: float
    pose: dict[str, float]


def render_dataset(
    out: Path, *, count: int, seed: int = 1, size: tuple[int, int] = (288, 480), workers: int = 1,
    kind: str = 'streets',
) -> Path:  # fmt: skip
    """
    Render ``count`` frames into ``out`` and return the manifest's path.

    :param size: (height, width) in pixels.
    :param kind: one of :data:`CLASS_TABLES`.
    :raises SceneError: if MuJoCo cannot render here, the kind is unknown, or the folder holds
        frames of another size.
    """
    if kind not in CLASS_TABLES:
        raise SceneError(
            f'Scenes of kind {kind!r} are unknown; allowed: {", ".join(CLASS_TABLES)}.'
        )
    out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out)
    _refuse_other_size(out, size)
    views = VIEWS_PER_ROOM if kind == 'rooms' else VIEWS_PER_STREET
    jobs = [(kind, out, seed, index, size, min(views, count - index * views))
            for index in range(-(-count // views))]  # fmt: skip
    records: list[FrameRecord] = []
    with Progress() as progress:
        task = progress.add_task(kind, total=len(jobs))
        for found in _each(jobs, workers):
            records += found
            progress.advance(task)
    manifest = {
        'version': __version__, 'versions': _versions(), 'seed': seed, 'size': list(size),
        'kind': kind, 'classes': CLASS_TABLES[kind], 'depth_scale': DEPTH_SCALE,
        'principal_point': [(size[1] - 1) / 2, (size[0] - 1) / 2],
        'frames': [asdict(record) for record in records],
    }  # fmt: skip
    path = out / 'manifest.json'
    path.write_text(json.dumps(manifest, indent=1, sort_keys=True), encoding='utf-8')
    return path


def _refuse_other_size(out: Path, size: tuple[int, int]) -> None:
    """Refuse to go on in a folder whose frames are of another size: their names are the same."""
    found = next(out.glob('*.labels.png'), None)
    if found is None:
        return
    with found.open('rb') as file:
        header = file.read(24)
    width, height = (int.from_bytes(header[at : at + 4], 'big') for at in (16, 20))
    if (height, width) != size:
        raise SceneError(
            f'{out} holds frames of {width}x{height}, not {size[1]}x{size[0]}. Give the same size '
            'to go on with them, or another folder.'
        )


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ('mujoco', 'numpy')}


_Job = tuple[str, Path, int, int, tuple[int, int], int]


def _each(jobs: list[_Job], workers: int) -> Iterator[list[FrameRecord]]:
    if workers <= 1:
        yield from (_render(*job) for job in jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context('spawn')) as pool:
        yield from pool.map(_render, *zip(*jobs))


def _render(
    kind: str, out: Path, seed: int, index: int, size: tuple[int, int], views: int
) -> list[FrameRecord]:
    if kind in STREET_KINDS:
        return _render_street(kind, out, seed, index, size, views)
    from hydranet_scenes.room_views import render_room

    return render_room(out, seed, index, size, views)


def _render_street(
    kind: str, out: Path, seed: int, index: int, size: tuple[int, int], views: int
) -> list[FrameRecord]:
    street_seed = seed * 100_000 + index
    street = build_street(street_seed, STREET_KINDS[kind])
    rng = np.random.default_rng((202, street_seed))
    prefix = '' if kind == 'streets' else f'{kind}_'
    records = [
        FrameRecord(f'{prefix}{street_seed:09d}_{view}', *_plan(rng, street, size[1]))
        for view in range(views)
    ]
    if all(_complete(out, record.name) for record in records):
        return records
    with StreetRenderer(street, size) as renderer:
        for record in records:
            look_rng = np.random.default_rng((404, street_seed, int(record.name[-1])))
            frame = renderer.render(Pose(**record.pose), record.fx)
            image = Appearance(look_rng, varied_look(look_rng)).apply(frame)
            quality = int(look_rng.integers(70, 96))
            write_frame(out, record.name, frame, image, quality=quality)
    return records


def _plan(rng: np.random.Generator, street: Street, width: int) -> tuple[float, dict[str, float]]:
    """Return the focal length, and a pose on the road and clear of cars."""
    reach = street.half_road - 1.5
    for _ in range(50):
        x = rng.uniform(-5, LENGTH - 95)
        y = float(np.clip(street.lane + rng.normal(0, 0.7), -reach, reach))
        if street.is_free(x, y):
            break
    pose = Pose(
        x=x, y=y, z=rng.normal(KITTI_HEIGHT, 0.03),
        yaw=rng.normal(0, 0.07) if rng.random() < 0.85 else rng.uniform(-0.5, 0.5),
        pitch=rng.normal(0, 0.025), roll=rng.normal(0, 0.012),
    )  # fmt: skip
    focal = KITTI_FOCAL * width / KITTI_WIDTH * float(np.exp(rng.uniform(-0.25, 0.45)))
    return round(focal, 4), {key: round(float(value), 6) for key, value in asdict(pose).items()}


def frame_files(out: Path, name: str) -> list[Path]:
    """Return the three files of a frame: picture, labels, depth."""
    return [out / f'{name}{suffix}' for suffix in ('.jpg', '.labels.png', '.depth.png')]


def _complete(out: Path, name: str) -> bool:
    return all(path.is_file() for path in frame_files(out, name))


def write_frame(
    out: Path, name: str, frame: RawFrame, image: NDArray[np.uint8], *, quality: int = 92
) -> None:
    """Write the three files of a frame, each of them atomically."""
    depth = np.nan_to_num(frame.depth, nan=0.0) * DEPTH_SCALE
    arrays: tuple[tuple[NDArray, str, list[int]], ...] = (
        (cv2.cvtColor(image, cv2.COLOR_RGB2BGR), '.jpg', [cv2.IMWRITE_JPEG_QUALITY, quality]),
        (frame.labels, '.png', []),
        (np.where(depth < 65535, np.rint(depth), 0).astype(np.uint16), '.png', []),
    )
    for path, (array, kind, options) in zip(frame_files(out, name), arrays):
        done, data = cv2.imencode(kind, array, options)
        assert done
        write_atomically(path, data.tobytes())
