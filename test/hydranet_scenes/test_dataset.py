"""Data sets of streets and rooms."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from scene_views import open_renderer

from hydranet_ros.errors import SceneError
from hydranet_scenes.dataset import DEPTH_SCALE, render_dataset
from hydranet_scenes.rendering.cameras import kitti_camera
from hydranet_scenes.rendering.pose import Pose
from hydranet_scenes.rooms.generator import build_room
from hydranet_scenes.streets.generator import build_street

SIZE = (48, 80)


@pytest.fixture(scope='module')
def dataset(tmp_path_factory: pytest.TempPathFactory, street_view) -> Path:
    """Return a data set of three frames of one street; skipped where MuJoCo cannot render."""
    folder = tmp_path_factory.mktemp('streets')
    render_dataset(folder, count=3, seed=5, size=SIZE)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def check_frames(folder: Path, scene) -> None:
    """Render the frames of a manifest again and compare them with the files."""
    manifest = json.loads((folder / 'manifest.json').read_text(encoding='utf-8'))
    assert manifest['depth_scale'] == DEPTH_SCALE
    camera = kitti_camera(tuple(manifest['size']))
    assert manifest['principal_point'] == [camera.cx, camera.cy]
    with open_renderer(scene, camera) as renderer:
        for record in manifest['frames']:
            truth = renderer.render(Pose(**record['pose']), record['fx'])
            name = str(folder / record['name'])
            labels = cv2.imread(f'{name}.labels.png', cv2.IMREAD_UNCHANGED)
            depth = cv2.imread(f'{name}.depth.png', cv2.IMREAD_UNCHANGED)
            assert depth.dtype == np.uint16 and np.array_equal(labels, truth.labels)
            near = truth.depth * DEPTH_SCALE < 65535
            assert np.allclose(depth[near] / DEPTH_SCALE, truth.depth[near], atol=0.003)
            assert not depth[~near].any()
            assert cv2.imread(f'{name}.jpg').shape == (*manifest['size'], 3)


def test_the_frames_of_streets_agree_with_the_manifest(dataset: Path):
    manifest = json.loads((dataset / 'manifest.json').read_text(encoding='utf-8'))
    assert (manifest['kind'], manifest['classes']) == ('streets', 'kitti6')
    assert len(manifest['frames']) == 3 and len(contents(dataset)) == 3 * 3 + 1
    check_frames(dataset, build_street(500_000))


def test_the_frames_of_rooms_agree_with_the_manifest(dataset: Path, tmp_path: Path):
    render_dataset(tmp_path, count=1, seed=7, size=SIZE, kind='rooms')
    manifest = json.loads((tmp_path / 'manifest.json').read_text(encoding='utf-8'))
    assert (manifest['kind'], manifest['classes']) == ('rooms', 'nyud40')
    check_frames(tmp_path, build_room(700_000))


def test_a_missing_file_is_rendered_again_with_the_same_bytes(dataset: Path):
    before = contents(dataset)
    next(dataset.glob('*_1.depth.png')).unlink()
    render_dataset(dataset, count=3, seed=5, size=SIZE)
    assert contents(dataset) == before


def test_two_kinds_of_streets_may_share_a_folder(dataset: Path, tmp_path: Path):
    render_dataset(tmp_path, count=1, seed=5, size=SIZE, kind='old_town')
    (image,) = tmp_path.glob('*.jpg')
    assert image.name == 'old_town_000500000_0.jpg'
    assert image.read_bytes() != (dataset / '000500000_0.jpg').read_bytes()
    assert set(contents(tmp_path)) & set(contents(dataset)) == {'manifest.json'}


def test_a_folder_with_frames_of_another_size_is_refused(tmp_path: Path):
    cv2.imwrite(str(tmp_path / 'room_0_0.labels.png'), np.zeros((48, 64), np.uint8))
    with pytest.raises(SceneError, match='holds frames of 64x48, but 80x60 was requested'):
        render_dataset(tmp_path, count=1, size=(60, 80), kind='rooms')


def test_an_unknown_kind_is_refused(tmp_path: Path):
    with pytest.raises(SceneError, match="'gardens'; allowed: streets, old_town, rooms"):
        render_dataset(tmp_path / 'set', count=1, kind='gardens')
    assert not (tmp_path / 'set').exists()
