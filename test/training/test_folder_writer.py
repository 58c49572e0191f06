"""A folder data set, written image by image."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from distil_tools import HEIGHT, WIDTH, contents, manifest_of, png, rgb

from hydranet_ros.errors import DatasetError, TrainingError
from hydranet_ros.training.distil import open_data
from hydranet_ros.training.folder_writer import FolderWriter, encode_depth, encode_normals
from hydranet_ros.training.sample import Sample

IMAGE = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def writer(folder: Path, count: int = 2, **made_with: object) -> FolderWriter:
    return FolderWriter(folder, {'images': count, **made_with}, {'depth_scale': 256})


def fill(folder: Path, *names: str, original: Path | None = None) -> None:
    with writer(folder) as target:
        for index, name in enumerate(names):
            if index not in target.done:
                target.write(index, Sample(name, IMAGE), original, {})


def test_a_sample_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    labels = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint8)
    depth = np.linspace(0, 80, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)
    normals = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    normals[5:] = (0, -1, 0)
    with writer(tmp_path / 'out', 1) as target:
        target.write(0, Sample('drive/7', IMAGE, labels, depth, normals, 123.5), None, {})
    assert (rgb(tmp_path / 'out/images/drive/7.png') == IMAGE).all()
    assert (png(tmp_path / 'out/labels/drive/7.png') == labels).all()
    (sample,) = open_data(f'folder:{tmp_path / "out"}', {})
    assert (sample.image == IMAGE).all()
    assert sample.focal_length == 123.5
    np.testing.assert_allclose(sample.depth, depth, atol=0.5 / 256)
    np.testing.assert_allclose(sample.normals, normals, atol=0.01)


def test_an_original_with_the_same_pixels_is_linked(tmp_path: Path) -> None:
    original = tmp_path / 'a.jpg'
    cv2.imwrite(str(original), IMAGE)
    with writer(tmp_path / 'out') as target:
        target.write(0, Sample('same', rgb(original)), original, {})
        target.write(1, Sample('other', IMAGE), original, {})
    assert (tmp_path / 'out/images/same.jpg').samefile(original)
    assert (rgb(tmp_path / 'out/images/other.png') == IMAGE).all()
    assert not (tmp_path / 'out/images/other.jpg').exists()


def test_the_manifest_is_complete_when_all_images_are_written(tmp_path: Path) -> None:
    fill(tmp_path / 'out', 'a')
    assert manifest_of(tmp_path / 'out')['complete'] is False
    fill(tmp_path / 'out', 'a', 'b')
    manifest = manifest_of(tmp_path / 'out')
    assert manifest['complete'] is True
    assert list(manifest['images']) == ['a', 'b']
    assert not (tmp_path / 'out/journal.jsonl').exists()


def test_a_lost_file_is_written_again(tmp_path: Path) -> None:
    out = tmp_path / 'out'
    fill(out, 'a', 'b')
    before = contents(out)
    (out / 'images/b.png').unlink()
    fill(out, 'a', 'b')
    assert contents(out) == before


def test_files_of_a_killed_write_are_removed(tmp_path: Path) -> None:
    out = tmp_path / 'out'
    fill(out, 'a', 'b')
    before = contents(out)
    (out / 'images/.b.png.0123abcd.part').write_bytes(b'half')
    fill(out, 'a', 'b')
    assert contents(out) == before


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='Two images have the name a/b'):
        fill(tmp_path / 'out', 'a/b', 'a/b')


@pytest.mark.parametrize('name', ['../a', '/a', 'a/../../b', ''])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match='cannot be the name of a file'):
        fill(tmp_path / 'out', name)
    assert [item.name for item in tmp_path.iterdir()] == ['out']


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'thesis.tex').write_text('')
    with pytest.raises(DatasetError, match='choose an empty folder|Choose an empty folder'):
        fill(tmp_path, 'a')
    (tmp_path / 'manifest.json').write_text('{"images": {}}')
    with pytest.raises(DatasetError, match='not written by this command'):
        fill(tmp_path, 'a')


def test_a_folder_of_another_run_is_refused_with_the_differences(tmp_path: Path) -> None:
    with writer(tmp_path / 'out', teacher={'sha256': 'a', 'tasks': ['depth']}):
        pass
    with (
        pytest.raises(TrainingError, match=r"\(teacher\.sha256: 'a' there, 'b' now\)"),
        writer(tmp_path / 'out', teacher={'sha256': 'b', 'tasks': ['depth']}),
    ):
        pass


@pytest.mark.parametrize('scale', [256, 1000, 5000])
def test_depth_is_stored_to_half_a_step(scale: float) -> None:
    rng = np.random.default_rng(0)
    meters = rng.uniform(0.01, 65535 / scale, (20, 30)).astype(np.float32)
    stored = encode_depth(meters, scale)
    np.testing.assert_allclose(stored / scale, meters, atol=0.5 / scale + 1e-5)


def test_depth_that_is_unknown_or_too_far_is_0() -> None:
    meters = np.array([[0, -1, np.nan, np.inf, 300, 255.9]], np.float32)
    assert encode_depth(meters, 256).tolist() == [[0, 0, 0, 0, 0, round(255.9 * 256)]]


def test_normals_are_stored_in_the_authors_colors() -> None:
    vectors = np.array([[[0, -1, 0], [0, 0, -1], [0.6, 0, -0.8], [0, 0, 0]]], np.float32)
    blue, green, red = np.moveaxis(encode_normals(vectors) / 127.5 - 1, -1, 0)
    np.testing.assert_allclose(np.stack([red, -blue, green], -1), vectors, atol=0.01)
