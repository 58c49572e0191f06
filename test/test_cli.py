"""The command as a user calls it: a process, its output, its exit status."""

from __future__ import annotations

import os
import re
import resource
import statistics
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


def hydranet(
    *arguments: object, before: Callable[[], None] | None = None, **environment: str
) -> subprocess.CompletedProcess:
    """Run the command; ``before`` runs in its process first."""
    return subprocess.run(
        [sys.executable, '-m', 'hydranet_ros', *map(str, arguments)],
        capture_output=True, text=True, timeout=120, cwd=ROOT, env={**os.environ, **environment},
        preexec_fn=before,
    )  # fmt: skip


@pytest.fixture
def street_picture(tmp_path: Path) -> Path:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:24] = (200, 20, 10)
    image[24:] = (50, 100, 204)
    path = tmp_path / 'street.png'
    cv2.imwrite(str(path), image)
    return path


def test_help_lists_the_commands_and_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['hydranet', '--help']\n"
        'from hydranet_ros.cli import main\n'
        'try: main()\n'
        'except SystemExit: pass\n'
        "heavy = {'numpy', 'cv2', 'torch', 'rclpy', 'onnxruntime', 'rosbags', 'av'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    for command in ('predict', 'run', 'play', 'demo', 'export', 'weights', 'scenes', 'train',
                    'eval', 'distil', 'build-engine'):  # fmt: skip
        assert command in done.stdout
    assert 'heavy: []' in done.stdout


@pytest.mark.slow
def test_help_answers_in_half_a_second():
    took = []
    for _ in range(5):
        started = time.monotonic()
        hydranet('--help')
        took.append(time.monotonic() - started)
    assert statistics.median(took) < 0.5


def test_version():
    from hydranet_ros import __version__

    assert hydranet('--version').stdout.strip() == f'hydranet_ros {__version__}'


def test_predict_writes_what_it_promises(tmp_path: Path, tiny_model, street_picture):
    out = tmp_path / 'out'
    done = hydranet('predict', street_picture, '-o', out, '--model', tiny_model,
                    '--intrinsics', '100,100,32,24')  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert '1 of 1 done' in done.stdout
    assert sorted(p.name for p in out.iterdir()) == [
        'street.ply', 'street_depth.npy', 'street_depth.png', 'street_mask.png',
        'street_overlay.png', 'street_side.png',
    ]  # fmt: skip
    mask = cv2.imread(str(out / 'street_mask.png'), cv2.IMREAD_UNCHANGED)
    assert mask.dtype == np.uint8 and (mask[:24] == 0).all() and (mask[24:] == 2).all()
    metres = np.load(out / 'street_depth.npy')
    assert np.isnan(metres[:24]).all()
    np.testing.assert_allclose(metres[24:], 9.0, rtol=1e-5)
    millimetres = cv2.imread(str(out / 'street_depth.png'), cv2.IMREAD_UNCHANGED)
    assert millimetres.dtype == np.uint16
    assert (millimetres[:24] == 0).all() and (millimetres[24:] == 9000).all()
    header, _, body = (out / 'street.ply').read_bytes().partition(b'end_header\n')
    assert b'element vertex 1536' in header
    assert len(body) == 1536 * 16


def test_a_bad_file_among_good_ones_costs_only_itself(tmp_path, tiny_model, street_picture):
    (tmp_path / 'broken.png').write_bytes(b'no picture')
    done = hydranet('predict', tmp_path, '-o', tmp_path / 'out', '--model', tiny_model)
    assert done.returncode == 1
    assert 'broken.png' in done.stderr and 'Traceback' not in done.stderr
    assert (tmp_path / 'out' / 'street_mask.png').is_file()


def test_an_image_that_claims_a_huge_size_costs_only_itself(tmp_path, tiny_model, street_picture):
    bomb = bytearray(street_picture.read_bytes())
    bomb[16:24] = struct.pack('>II', 200_000, 200_000)  # width and height of the PNG header
    bomb[29:33] = struct.pack('>I', zlib.crc32(bomb[12:29]))
    (tmp_path / 'bomb.png').write_bytes(bomb)
    done = hydranet('predict', tmp_path, '-o', tmp_path / 'out', '--model', tiny_model)
    assert done.returncode == 1
    assert done.stderr.count('bomb.png') == 1 and 'Traceback' not in done.stderr
    assert '1 of 2 done' in done.stdout
    assert (tmp_path / 'out' / 'street_mask.png').is_file()


def test_an_empty_folder_among_the_inputs_costs_only_itself(tmp_path, tiny_model, street_picture):
    (tmp_path / 'empty').mkdir()
    done = hydranet('predict', tmp_path / 'empty', street_picture, '-o', tmp_path / 'out',
                    '--model', tiny_model)  # fmt: skip
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert 'empty holds no picture' in done.stderr
    assert (tmp_path / 'out' / 'street_mask.png').is_file()


def test_a_video_whose_result_fills_the_disk_costs_only_itself(
    tmp_path, tiny_model, street_picture
):
    """A limit on the size of a file fails a write as a full disk does."""
    from hydranet_ros.images.video import VideoWriter

    random = np.random.default_rng(1)
    with VideoWriter(tmp_path / 'film.mp4', 12) as writer:
        for _ in range(12):
            writer.write(random.integers(0, 256, (120, 160, 3), np.uint8))
    limit = (40_000, resource.RLIM_INFINITY)
    done = hydranet(
        'predict', tmp_path / 'film.mp4', street_picture, '-o', tmp_path / 'out',
        '--model', tiny_model, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )  # fmt: skip
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert re.search(r'film\.(mp4|gif) cannot be', done.stderr.replace('\n', ' '))
    assert '1 of 2 done' in done.stdout
    assert (tmp_path / 'out' / 'street_mask.png').is_file()
    assert not list((tmp_path / 'out').glob('film*'))


def test_results_keep_the_folders_of_the_inputs(tmp_path, tiny_model, street_picture):
    data = street_picture.read_bytes()
    for name in ('day/left', 'day/right', 'night'):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / '1.png').write_bytes(data)
    done = hydranet('predict', tmp_path / 'day/left', tmp_path / 'day/right',
                    tmp_path / 'night/1.png', '-o', tmp_path / 'out',
                    '--model', tiny_model)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = {str(p.relative_to(tmp_path / 'out')) for p in (tmp_path / 'out').rglob('*_mask.png')}
    assert found == {'day/left/1_mask.png', 'day/right/1_mask.png', 'night/1_mask.png'}


def test_the_results_of_one_folder_lie_directly_in_the_output(
    tmp_path, tiny_model, street_picture
):
    (tmp_path / 'in').mkdir()
    for name in ('1.png', '2.png'):
        (tmp_path / 'in' / name).write_bytes(street_picture.read_bytes())
    done = hydranet('predict', tmp_path / 'in', tmp_path / 'in/2.png', '-o', tmp_path / 'out',
                    '--model', tiny_model)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert '2 of 2 done' in done.stdout
    found = sorted(p.name for p in (tmp_path / 'out').glob('*_mask.png'))
    assert found == ['1_mask.png', '2_mask.png']


def test_files_that_differ_only_in_the_ending_keep_it(tmp_path, tiny_model, street_picture):
    image = cv2.imread(str(street_picture))
    for name in ('a.png', 'a.bmp', 'b.png'):
        cv2.imwrite(str(tmp_path / name), image)
    names = [tmp_path / name for name in ('a.png', 'a.bmp', 'b.png')]
    done = hydranet('predict', *names, '-o', tmp_path / 'out', '--model', tiny_model)
    assert done.returncode == 0, done.stderr
    found = sorted(p.name for p in (tmp_path / 'out').glob('*_mask.png'))
    assert found == ['a.bmp_mask.png', 'a.png_mask.png', 'b_mask.png']


def test_a_video_becomes_mp4_and_gif_at_its_rate(tmp_path: Path, tiny_model):
    from hydranet_ros.images.video import VideoReader, VideoWriter

    with VideoWriter(tmp_path / 'film.mp4', 12) as writer:
        for index in range(6):
            writer.write(np.full((48, 64, 3), 40 * index, np.uint8))
    done = hydranet(
        'predict', tmp_path / 'film.mp4', '-o', tmp_path / 'out', '--model', tiny_model
    )
    assert done.returncode == 0, done.stderr
    for name in ('film.mp4', 'film.gif'):
        with VideoReader(tmp_path / 'out' / name) as reader:
            assert reader.fps == pytest.approx(12, rel=0.05)
            assert len(list(reader)) == 6


def test_a_result_never_overwrites_its_source(tmp_path: Path, tiny_model):
    from hydranet_ros.images.video import VideoWriter

    with VideoWriter(tmp_path / 'film.mp4', 12) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8))
    before = (tmp_path / 'film.mp4').read_bytes()
    done = hydranet('predict', tmp_path / 'film.mp4', '-o', tmp_path, '--model', tiny_model)
    assert done.returncode == 1 and 'would be overwritten' in done.stderr
    assert (tmp_path / 'film.mp4').read_bytes() == before


def test_a_missing_model_names_the_command_that_brings_it(tmp_path, street_picture):
    done = hydranet('predict', street_picture, '-o', tmp_path / 'out', '--preset', 'nyud',
                    HYDRANET_MODELS=str(tmp_path))  # fmt: skip
    assert done.returncode == 2
    assert 'hydranet weights pull ExpNYUD_joint' in done.stderr
    assert 'Traceback' not in done.stderr


def test_kitti_falls_back_to_street_with_one_warning(tmp_path, street_picture):
    if not (ROOT / 'models' / 'street' / 'street.onnx').is_file():
        pytest.skip('models/street/street.onnx is not there')
    done = hydranet('predict', street_picture, '-o', tmp_path / 'out', '--preset', 'kitti',
                    HYDRANET_MODELS=str(tmp_path))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.replace('\n', ' ').count('warning:') == 1
    assert 'street.onnx' in done.stdout


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (['predict', 'x.png', '-o', 'out', '--intrinsics', '1,2'], 'fx,fy,cx,cy'),
        (['export', 'none.ckpt', '--preset', 'kitti', '-o', 'o.onnx'], 'does not exist'),
        (['weights', 'pull', 'ExpMars'], 'ExpKITTI_joint'),
        (['play', 'none.mcap'], 'does not exist'),
        (['train', 'none.yaml', '-o', 'run'], 'cannot be read'),
    ],
)
def test_bad_input_is_one_clear_error_with_status_2(tmp_path, arguments, said):
    if arguments[0] in ('export', 'train', 'weights'):
        pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')
    if arguments[0] == 'play':
        pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')
    done = subprocess.run(
        [sys.executable, '-m', 'hydranet_ros', *arguments],
        capture_output=True, text=True, timeout=120, cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert 'Traceback' not in done.stderr
    assert list(tmp_path.iterdir()) in ([], [tmp_path / 'run'])


def test_a_real_street_is_seen(tmp_path: Path, data_dir: Path):
    """The model that ships, on a photograph: sky above, road below, and the road gets farther."""
    model = ROOT / 'models' / 'street' / 'street.onnx'
    if not model.is_file():
        pytest.skip('models/street/street.onnx is not there')
    done = hydranet('predict', data_dir / 'kitti' / '000099.png', '-o', tmp_path,
                    '--intrinsics', '707,707,602,183')  # fmt: skip
    assert done.returncode == 0, done.stderr
    mask = cv2.imread(str(tmp_path / '000099_mask.png'), cv2.IMREAD_UNCHANGED)
    depth = np.load(tmp_path / '000099_depth.npy')
    assert (mask[-60:, 500:700] == 2).mean() > 0.8, 'no road in front of the car'
    rows = [np.nanmedian(np.where(mask[r : r + 20] == 2, depth[r : r + 20], np.nan)[:, 400:800])
            for r in (350, 300, 250)]  # fmt: skip
    assert rows[0] < rows[1] < rows[2], f'the road does not get farther: {rows}'
