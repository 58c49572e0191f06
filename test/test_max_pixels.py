"""Files and bags whose images are too large: one line each, and the others are processed."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from hydranet_ros.bags.process import process_bag
from hydranet_ros.errors import MediaError
from hydranet_ros.inference.engine import Engine
from hydranet_ros.images.files import read_image
from hydranet_ros.images.video import VideoWriter
from hydranet_ros.perception.pipeline import Perception
from hydranet_ros.perception.predict import PredictOptions, predict_all
from hydranet_ros.resources import config_file

IMAGE = np.full((48, 64, 3), 90, np.uint8)


def claiming_png(width: int, height: int) -> bytes:
    """Return a small PNG whose header states another size."""
    data = bytearray(cv2.imencode('.png', IMAGE)[1].tobytes())
    data[16:24] = struct.pack('>II', width, height)
    data[29:33] = struct.pack('>I', zlib.crc32(data[12:29]))
    return bytes(data)


def claiming_bmp(width: int, height: int) -> bytes:
    data = bytearray(cv2.imencode('.bmp', IMAGE)[1].tobytes())
    data[18:26] = struct.pack('<ii', width, height)
    return bytes(data)


def test_predict_refuses_a_small_file_that_claims_a_large_image_and_goes_on(
    tmp_path: Path, tiny_model, capsys
):
    inputs = tmp_path / 'in'
    inputs.mkdir()
    (inputs / 'a.png').write_bytes(claiming_png(4000, 4000))
    cv2.imwrite(str(inputs / 'b.png'), IMAGE)
    options = PredictOptions(model=str(tiny_model))
    assert predict_all([inputs], tmp_path / 'out', options) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if 'hydranet:' in line]
    assert len(lines) == 1
    assert 'a.png' in lines[0] and '4000x4000 = 16000000 pixels' in lines[0]
    assert (tmp_path / 'out' / 'b_mask.png').is_file()


def test_predict_refuses_a_video_above_the_limit(tmp_path: Path, tiny_model, capsys):
    with VideoWriter(tmp_path / 'film.mp4', 10) as writer:
        writer.write(IMAGE)
    options = PredictOptions(model=str(tiny_model), max_pixels=3071)
    assert predict_all([tmp_path / 'film.mp4'], tmp_path / 'out', options) == 1
    assert 'film.mp4: The image is too large: 64x48' in capsys.readouterr().err
    assert list((tmp_path / 'out').iterdir()) == []


def test_bag_reports_and_counts_every_image_above_the_limit(tmp_path: Path, tiny_model, capsys):
    counts = process_bag(
        config_file('demo_street'), tmp_path / 'out', Perception(Engine(tiny_model)),
        max_pixels=640 * 360 - 1,
    )  # fmt: skip
    assert (counts.done, counts.failed) == (0, 60)
    assert capsys.readouterr().err.count('640x360 = 230400 pixels; max_pixels allows') == 60


@pytest.mark.parametrize('command', ['predict', 'bag'])
def test_the_commands_have_the_option(tmp_path: Path, tiny_model, command: str):
    source = config_file('demo_street')
    if command == 'predict':
        source = tmp_path / 'a.png'
        cv2.imwrite(str(source), IMAGE)
    done = subprocess.run(
        [sys.executable, '-m', 'hydranet_ros', command, str(source), '-o', str(tmp_path / 'out'),
         '--model', str(tiny_model), '--max-pixels', '3071'],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert 'max_pixels allows 3071' in done.stderr and 'Traceback' not in done.stderr


@pytest.mark.parametrize('kind', ['.png', '.jpg', '.bmp', '.tiff', '.webp', '.ppm'])
def test_the_limit_holds_for_every_file_format(tmp_path: Path, kind: str):
    path = tmp_path / f'a{kind}'
    cv2.imwrite(str(path), IMAGE)
    assert read_image(path, max_pixels=3072).shape == IMAGE.shape
    with pytest.raises(
        MediaError, match=f'a{kind}: .*64x48 = 3072 pixels; max_pixels allows 3071'
    ):
        read_image(path, max_pixels=3071)


@pytest.mark.parametrize('make', [claiming_png, claiming_bmp])
def test_a_file_that_opencv_refuses_is_a_media_error_of_one_line(tmp_path: Path, make):
    """In a process of its own: OpenCV reads its limit when it is loaded."""
    path = tmp_path / 'a.img'
    path.write_bytes(make(16000, 16000))
    code = (
        'import sys\n'
        'from pathlib import Path\n'
        'from hydranet_ros.images.files import read_image\n'
        'from hydranet_ros.errors import MediaError\n'
        'try: read_image(Path(sys.argv[1]))\n'
        'except MediaError as err: print(err)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code, str(path)], capture_output=True, text=True, check=True,
        env=opencv_limit(None),
    )  # fmt: skip
    (line,) = done.stdout.splitlines()
    assert 'a.img is larger than OpenCV decodes' in line and str(2**27) in line


def opencv_limit(value: str | None) -> dict[str, str]:
    environment = {k: v for k, v in os.environ.items() if k != 'OPENCV_IO_MAX_IMAGE_PIXELS'}
    return environment if value is None else {**environment, 'OPENCV_IO_MAX_IMAGE_PIXELS': value}


@pytest.mark.parametrize(('given', 'expected'), [(None, str(2**27)), ('5000', '5000')])
def test_opencv_is_limited_before_it_is_imported_unless_the_user_says_otherwise(given, expected):
    code = (
        'import os, sys, hydranet_ros\n'
        "assert 'cv2' not in sys.modules\n"
        "print(os.environ['OPENCV_IO_MAX_IMAGE_PIXELS'])"
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True,
        env=opencv_limit(given),
    )  # fmt: skip
    assert done.stdout.strip() == expected
