"""``hydranet predict`` as a user calls it: a process, its files, its exit status."""

from __future__ import annotations

import re
import resource
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import hydranet
from conftest import ROOT

SKY, ROAD = 0, 2


@pytest.fixture
def street_image(tmp_path: Path) -> Path:
    """Return an image with sky above (confidence 20 / 255) and road below (100 / 255)."""
    image = np.zeros((48, 64, 3), np.uint8)
    image[:24] = (200, 20, 10)
    image[24:] = (50, 100, 204)
    path = tmp_path / 'street.png'
    cv2.imwrite(str(path), image)
    return path


def read(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_an_image_has_mask_depth_overlay_and_cloud(tmp_path: Path, tiny_model, street_image):
    out = tmp_path / 'out'
    done = hydranet('predict', street_image, '-o', out, '--model', tiny_model,
                    '--intrinsics', '100,100,32,24')  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r'^Processed 1 of 1 inputs with tiny\.onnx on cpu; results are in .*out\.$',
                     done.stdout)  # fmt: skip
    assert sorted(p.name for p in out.iterdir()) == [
        'street.ply', 'street_depth.npy', 'street_depth.png', 'street_mask.png',
        'street_overlay.png', 'street_side.png',
    ]  # fmt: skip
    mask = read(out / 'street_mask.png')
    assert mask.dtype == np.uint8 and (mask[:24] == SKY).all() and (mask[24:] == ROAD).all()
    meters = np.load(out / 'street_depth.npy')
    assert np.isnan(meters[:24]).all()
    np.testing.assert_allclose(meters[24:], 9.0, rtol=1e-5)


def test_all_options_take_effect(tmp_path: Path, tiny_model, street_image):
    done = hydranet(
        'predict', street_image, '-o', tmp_path / 'out', '--model', tiny_model,
        '--intrinsics', '200,200,32,24', '--min-confidence', '0.3', '--stride', '4',
        '--alpha', '0', '--provider', 'cpu', '--threads', '1', '--max-depth', '20',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    out = tmp_path / 'out'
    mask = read(out / 'street_mask.png')
    assert (mask[:24] == 255).all() and (mask[24:] == ROAD).all()
    np.testing.assert_array_equal(read(out / 'street_overlay.png'), read(street_image))
    depth = np.load(out / 'street_depth.npy')
    np.testing.assert_allclose(depth[24:], 18.0, rtol=1e-5)  # twice the model's focal length
    # Unlabeled pixels have a depth, and a point unless it is beyond the limit.
    header = (out / 'street.ply').read_bytes().partition(b'end_header')[0]
    assert b'element vertex 192\n' in header


@pytest.mark.parametrize(('limit', 'known'), [('8.9', False), ('9.1', True), ('0', True)])
def test_depth_beyond_max_depth_is_unknown(tmp_path, tiny_model, street_image, limit, known):
    done = hydranet('predict', street_image, '-o', tmp_path / 'out', '--model', tiny_model,
                    '--max-depth', limit)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert np.isfinite(np.load(tmp_path / 'out' / 'street_depth.npy')[24:]).all() == known


def test_a_broken_file_costs_only_itself(tmp_path, tiny_model, street_image):
    (tmp_path / 'broken.png').write_bytes(b'not an image')
    done = hydranet('predict', tmp_path, '-o', tmp_path / 'out', '--model', tiny_model)
    assert done.returncode == 1
    assert 'broken.png' in done.stderr and 'Traceback' not in done.stderr
    assert 'Processed 1 of 2 inputs' in done.stdout
    assert (tmp_path / 'out' / 'street_mask.png').is_file()


def test_an_image_above_max_pixels_costs_only_itself(tmp_path, tiny_model, street_image):
    done = hydranet('predict', street_image, '-o', tmp_path / 'out', '--model', tiny_model,
                    '--max-pixels', '3071')  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert 'max_pixels allows 3071' in done.stderr and 'Traceback' not in done.stderr


def test_a_video_whose_result_fills_the_disk_costs_only_itself(tmp_path, tiny_model, street_image):
    """A limit on the file size makes writing fail as a full disk does."""
    from hydranet_ros.images.video import VideoWriter

    random = np.random.default_rng(1)
    with VideoWriter(tmp_path / 'film.mp4', 12) as writer:
        for _ in range(12):
            writer.write(random.integers(0, 256, (120, 160, 3), np.uint8))
    limit = (40_000, resource.RLIM_INFINITY)
    done = hydranet(
        'predict', tmp_path / 'film.mp4', street_image, '-o', tmp_path / 'out',
        '--model', tiny_model, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )  # fmt: skip
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert re.search(r'film\.(mp4|gif) cannot be', done.stderr.replace('\n', ' '))
    assert 'Processed 1 of 2 inputs' in done.stdout
    assert (tmp_path / 'out' / 'street_mask.png').is_file()
    assert not list((tmp_path / 'out').glob('film*'))


def test_a_missing_model_names_the_command_that_downloads_it(tmp_path, street_image):
    done = hydranet('predict', street_image, '-o', tmp_path / 'out', '--preset', 'nyud',
                    HYDRANET_MODELS=str(tmp_path))  # fmt: skip
    assert done.returncode == 2
    assert 'hydranet weights pull ExpNYUD_joint' in done.stderr
    assert 'Traceback' not in done.stderr


def test_kitti_falls_back_to_street_with_one_warning(tmp_path, street_image):
    if not (ROOT / 'models' / 'street' / 'street.onnx').is_file():
        pytest.skip('models/street/street.onnx does not exist')
    done = hydranet('predict', street_image, '-o', tmp_path / 'out', '--preset', 'kitti',
                    HYDRANET_MODELS=str(tmp_path))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.replace('\n', ' ').count('warning:') == 1
    assert 'street.onnx' in done.stdout


def test_the_road_of_a_real_street_is_found_and_gets_farther(tmp_path: Path, data_dir: Path):
    if not (ROOT / 'models' / 'street' / 'street.onnx').is_file():
        pytest.skip('models/street/street.onnx does not exist')
    done = hydranet('predict', data_dir / 'kitti' / '000099.png', '-o', tmp_path,
                    '--intrinsics', '707,707,602,183')  # fmt: skip
    assert done.returncode == 0, done.stderr
    mask = read(tmp_path / '000099_mask.png')
    depth = np.load(tmp_path / '000099_depth.npy')
    assert (mask[-60:, 500:700] == ROAD).mean() > 0.8, 'no road in front of the car'
    rows = [np.nanmedian(np.where(mask[r : r + 20] == ROAD, depth[r : r + 20], np.nan)[:, 400:800])
            for r in (350, 300, 250)]  # fmt: skip
    assert rows[0] < rows[1] < rows[2], f'the road does not get farther: {rows}'
