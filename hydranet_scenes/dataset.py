"""
Render a data set of streets or rooms.

Each frame consists of ``NAME.jpg``, ``NAME.labels.png`` (uint8 class ids, 255 unlabeled) and
``NAME.depth.png`` (uint16, meters times ``depth_scale``, 0 unknown). ``manifest.json`` names the
class table and lists the pose and the focal length of every frame. The same seed gives the same
bytes. A run that was interrupted resumes when it is started again with the same arguments.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

from rich.progress import Progress

from hydranet_ros import __version__
from hydranet_ros.errors import SceneError
from hydranet_ros.files import remove_leftovers
from hydranet_scenes.frame_files import DEPTH_SCALE, FrameRecord
from hydranet_scenes.rooms.views import render_room
from hydranet_scenes.streets.kinds import STREET_KINDS
from hydranet_scenes.streets.views import render_street

VIEWS_PER_STREET = 8
VIEWS_PER_ROOM = 4
# The class table (config/classes/) of each kind of scene.
CLASS_TABLES = {**dict.fromkeys(STREET_KINDS, 'kitti6'), 'rooms': 'nyud40'}

# Arguments of _render.
_Job = tuple[str, Path, int, int, tuple[int, int], int]


def render_dataset(
    out: Path, *, count: int, seed: int = 1, size: tuple[int, int] = (288, 480), workers: int = 1,
    kind: str = 'streets',
) -> Path:  # fmt: skip
    """
    Render ``count`` frames into a folder and return the path of the manifest.

    :param size: (height, width) in pixels.
    :param workers: number of processes.
    :param kind: one of :data:`CLASS_TABLES`.
    :raises SceneError: if the kind is unknown, MuJoCo cannot render here, or the folder holds
        frames of another size.
    """
    check_kind(kind)
    out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out)
    _check_size(out, size)
    views = VIEWS_PER_ROOM if kind == 'rooms' else VIEWS_PER_STREET
    jobs = [(kind, out, seed, index, size, min(views, count - index * views))
            for index in range(-(-count // views))]  # fmt: skip
    records: list[FrameRecord] = []
    with Progress() as progress:
        task = progress.add_task(kind, total=len(jobs))
        for rendered in _run(jobs, workers):
            records += rendered
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


def check_kind(kind: str) -> None:
    """
    Check the name of a kind of scene.

    :raises SceneError: if it is unknown.
    """
    if kind not in CLASS_TABLES:
        raise SceneError(f'Unknown kind of scene {kind!r}; allowed: {", ".join(CLASS_TABLES)}.')


def _check_size(out: Path, size: tuple[int, int]) -> None:
    """Refuse a folder with frames of another size, because they have the same names."""
    labels = next(out.glob('*.labels.png'), None)
    if labels is None:
        return
    with labels.open('rb') as file:
        header = file.read(24)
    width, height = (int.from_bytes(header[at : at + 4], 'big') for at in (16, 20))
    if (height, width) != size:
        raise SceneError(
            f'{out} holds frames of {width}x{height}, but {size[1]}x{size[0]} was requested. Use '
            f'--size {width}x{height} to resume, or another folder.'
        )


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ('mujoco', 'numpy')}


def _run(jobs: list[_Job], workers: int) -> Iterator[list[FrameRecord]]:
    """Render the scenes in this process or in several, and yield their records in order."""
    if workers <= 1:
        yield from (_render(*job) for job in jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context('spawn')) as pool:
        yield from pool.map(_render, *zip(*jobs))


def _render(
    kind: str, out: Path, seed: int, index: int, size: tuple[int, int], views: int
) -> list[FrameRecord]:
    """Render the frames of one scene."""
    if kind == 'rooms':
        return render_room(out, seed, index, size, views)
    return render_street(kind, out, seed, index, size, views)
