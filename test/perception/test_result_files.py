"""Names, folders and formats of the result files."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import cv2
import numpy as np
import pytest

from hydranet_ros.errors import MediaError
from hydranet_ros.perception.colormaps import color_depth
from hydranet_ros.perception.outputs import Output
from hydranet_ros.perception.pipeline import PerceptionResult
from hydranet_ros.perception.point_cloud import POINT_DTYPE, PointCloud
from hydranet_ros.perception.result_files import (
    Job,
    create_folder,
    list_inputs,
    plan_jobs,
    side_by_side,
    write_results,
)

RANGE = (0.0, 80.0)


def plan(root: Path, files: list[str], inputs: list[str] | None = None) -> list[str]:
    """Return the prefix of the results of each file, relative to the output."""
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    jobs = plan_jobs(
        [root / name for name in files], [root / name for name in inputs or files], root / 'out'
    )
    return [(job.folder / job.name).relative_to(root / 'out').as_posix() for job in jobs]


def test_the_results_of_one_folder_are_directly_in_the_output(tmp_path: Path):
    assert plan(tmp_path, ['in/1.png', 'in/2.png'], ['in']) == ['1', '2']
    assert plan(tmp_path, ['in/1.png']) == ['1']


def test_the_results_keep_the_folders_below_the_shared_one(tmp_path: Path):
    files = ['day/left/1.png', 'day/right/1.png', 'night/1.png']
    inputs = ['day/left', 'day/right', 'night/1.png']
    assert plan(tmp_path, files, inputs) == ['day/left/1', 'day/right/1', 'night/1']


def test_names_that_differ_only_in_the_suffix_keep_it(tmp_path: Path):
    assert plan(tmp_path, ['a.png', 'a.bmp', 'b.png']) == ['a.png', 'a.bmp', 'b']
    assert plan(tmp_path, ['x/a.png', 'y/a.bmp']) == ['x/a', 'y/a']


def test_a_file_that_is_named_twice_is_one_job(tmp_path: Path, monkeypatch):
    assert plan(tmp_path, ['in/1.png', 'in/1.png']) == ['1']
    monkeypatch.chdir(tmp_path)
    files = [Path('in/1.png'), tmp_path / 'in' / '1.png', Path('in/../in/1.png')]
    assert len(list(plan_jobs(files, files, Path('out')))) == 1


def test_relative_inputs_are_planned_like_absolute_ones(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'in').mkdir()
    (job,) = plan_jobs([Path('in/1.png')], [Path('in')], Path('out'))
    assert (job.path, job.folder, job.name) == (Path('in/1.png'), Path('out'), '1')


def test_a_result_has_the_name_and_a_suffix():
    job = Job(Path('a.png'), Path('out'), 'a.png')
    assert job.result('_mask.png') == Path('out/a.png_mask.png')
    with pytest.raises(FrozenInstanceError):
        job.name = 'b'


def test_a_folder_is_its_images_and_a_file_is_itself(tmp_path: Path):
    for name in ('2.png', '10.png', 'a.mp4', 'a.txt'):
        (tmp_path / name).touch()
    assert list_inputs(tmp_path) == [tmp_path / '2.png', tmp_path / '10.png']
    assert list_inputs(tmp_path / 'a.mp4') == [tmp_path / 'a.mp4']
    (tmp_path / 'empty').mkdir()
    with pytest.raises(MediaError, match='empty has no image'):
        list_inputs(tmp_path / 'empty')


def test_folders_are_created_with_their_parents(tmp_path: Path):
    for _ in range(2):
        create_folder(tmp_path / 'a' / 'b')
    assert (tmp_path / 'a' / 'b').is_dir()
    (tmp_path / 'file').touch()
    with pytest.raises(MediaError, match='file/c cannot be created: Not a directory'):
        create_folder(tmp_path / 'file' / 'c')


IMAGE = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
LABELS = np.arange(24, dtype=np.uint8).reshape(4, 6)
DEPTH = np.linspace(0.5, 70.0, 24, dtype=np.float32).reshape(4, 6)
DEPTH[0, 0] = np.nan


def result(**changes) -> PerceptionResult:
    values = {
        Output.MASK: LABELS, Output.OVERLAY: IMAGE[::-1], Output.DEPTH: DEPTH,
        Output.POINTS: PointCloud(np.zeros((4, 6), POINT_DTYPE)),
    }  # fmt: skip
    return PerceptionResult({**values, **{Output[name]: value for name, value in changes.items()}})


def read(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_each_result_is_written_in_its_format(tmp_path: Path):
    job = Job(Path('x.png'), tmp_path / 'new', 'x')
    write_results(job, IMAGE, result(), RANGE)
    np.testing.assert_array_equal(read(tmp_path / 'new/x_mask.png'), LABELS)
    np.testing.assert_array_equal(read(tmp_path / 'new/x_overlay.png')[..., ::-1], IMAGE[::-1])
    np.testing.assert_array_equal(np.load(tmp_path / 'new/x_depth.npy'), DEPTH)
    millimeters = read(tmp_path / 'new/x_depth.png')
    assert millimeters.dtype == np.uint16 and millimeters[0, 0] == 0
    assert millimeters[0, 1] == round(float(DEPTH[0, 1]) * 1000)
    side = read(tmp_path / 'new/x_side.png')[..., ::-1]
    np.testing.assert_array_equal(side, side_by_side(IMAGE, result(), RANGE))
    assert (tmp_path / 'new/x.ply').read_bytes().startswith(b'ply\n')
    assert len(list((tmp_path / 'new').iterdir())) == 6


def test_results_that_the_model_lacks_are_not_written(tmp_path: Path):
    job = Job(Path('x.png'), tmp_path, 'x')
    write_results(job, IMAGE, PerceptionResult(), RANGE)
    assert [p.name for p in tmp_path.iterdir()] == ['x_side.png']
    np.testing.assert_array_equal(read(tmp_path / 'x_side.png')[..., ::-1], IMAGE)


@pytest.mark.parametrize(('width', 'shape'), [(8, (4, 24, 3)), (9, (12, 9, 3))])
def test_the_parts_of_a_wide_image_form_a_column(width: int, shape):
    """Wide is more than twice as wide as high."""
    image = np.full((4, width, 3), 7, np.uint8)
    depth = np.full((4, width), 5.0, np.float32)
    shown = side_by_side(image, result(OVERLAY=image, DEPTH=depth), RANGE)
    assert shown.shape == shape


def test_the_parts_are_image_overlay_and_depth_in_this_order():
    shown = side_by_side(IMAGE, result(), RANGE)
    np.testing.assert_array_equal(shown[:, :6], IMAGE)
    np.testing.assert_array_equal(shown[:, 6:12], IMAGE[::-1])
    np.testing.assert_array_equal(shown[:, 12:], color_depth(DEPTH, RANGE))
    np.testing.assert_array_equal(side_by_side(IMAGE, result(OVERLAY=None), RANGE)[:, 6:],
                                  color_depth(DEPTH, RANGE))  # fmt: skip
