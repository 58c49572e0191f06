"""Pictures and videos go in and out unchanged, a frame at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from hydranet_ros.errors import MediaError
from hydranet_ros.images.files import (
    GIF_WIDTH,
    GifWriter,
    VideoReader,
    VideoWriter,
    list_images,
    read_image,
    write_bytes,
    write_image,
)


def frame(index: int, size=(48, 64)) -> np.ndarray:
    image = np.full((*size, 3), (40, 90, 200), np.uint8)
    image[:, : 4 * index + 4] = (250, 200, 10)
    return image


def test_a_png_survives_the_round_trip(tmp_path: Path):
    image = np.random.default_rng(1).integers(0, 256, (7, 9, 3), np.uint8)
    write_image(tmp_path / 'a.png', image)
    np.testing.assert_array_equal(read_image(tmp_path / 'a.png'), image)


@pytest.mark.parametrize('kind', ['grey', 'alpha', 'sixteen'])
def test_grey_alpha_and_16_bit_pictures_become_rgb(tmp_path: Path, kind: str):
    arrays = {
        'grey': np.full((4, 5), 77, np.uint8),
        'alpha': np.full((4, 5, 4), (10, 20, 30, 255), np.uint8),
        'sixteen': np.full((4, 5), 77 * 257, np.uint16),
    }
    cv2.imwrite(str(tmp_path / 'a.png'), arrays[kind])
    image = read_image(tmp_path / 'a.png')
    assert image.shape == (4, 5, 3) and image.dtype == np.uint8
    assert tuple(image[0, 0]) == ((30, 20, 10) if kind == 'alpha' else (77, 77, 77))


def test_a_folder_is_read_in_natural_order(tmp_path: Path):
    for name in ('f10.png', 'f2.png', 'f1.PNG', 'notes.txt'):
        (tmp_path / name).touch()
    assert [p.name for p in list_images(tmp_path)] == ['f1.PNG', 'f2.png', 'f10.png']
    with pytest.raises(MediaError, match="matches '\\*.jpg'"):
        list_images(tmp_path, '*.jpg')


@pytest.mark.parametrize('fps', [12.5, 30.0, 29.97])
def test_a_video_keeps_its_frames_and_its_rate(tmp_path: Path, fps: float):
    path = tmp_path / 'a.mp4'
    with VideoWriter(path, fps) as writer:
        for index in range(10):
            writer.write(frame(index))
    with VideoReader(path) as reader:
        frames = list(reader)
        assert reader.fps == pytest.approx(fps, rel=1e-3)
    assert len(frames) == 10
    for index, item in enumerate(frames):
        assert item.seconds == pytest.approx(index / fps, abs=1e-3)
        assert np.abs(item.image.astype(int) - frame(index)).mean() < 6


def test_an_odd_size_is_cut_to_even(tmp_path: Path):
    with VideoWriter(tmp_path / 'a.mp4', 10) as writer:
        writer.write(frame(0, (49, 65)))
    with VideoReader(tmp_path / 'a.mp4') as reader:
        assert next(iter(reader)).image.shape == (48, 64, 3)


def test_a_gif_keeps_its_frames_its_rate_and_is_not_too_wide(tmp_path: Path):
    path = tmp_path / 'a.gif'
    with GifWriter(path, 10) as writer:
        for index in range(6):
            writer.write(frame(index, (100, 1000)))
    with VideoReader(path) as reader:
        frames = list(reader)
    assert len(frames) == 6
    assert frames[0].image.shape == (64, GIF_WIDTH, 3)
    assert frames[5].seconds == pytest.approx(0.5, abs=0.02)


def test_a_gif_of_a_fast_source_leaves_frames_out_evenly(tmp_path: Path):
    with GifWriter(tmp_path / 'a.gif', 100) as writer:
        for index in range(10):
            writer.write(frame(index))
    with VideoReader(tmp_path / 'a.gif') as reader:
        assert len(list(reader)) == 5


def test_a_video_that_is_left_in_the_middle_is_whole_up_to_there(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / 'a.mp4', 10) as writer:
        writer.write(frame(0))
        writer.write(frame(1))
        raise KeyboardInterrupt
    with VideoReader(tmp_path / 'a.mp4') as reader:
        assert len(list(reader)) == 2


FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from hydranet_ros.errors import MediaError
from hydranet_ros.images.files import GifWriter, VideoWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
random = np.random.default_rng(1)
writer = {'.mp4': VideoWriter, '.gif': GifWriter}[Path(sys.argv[1]).suffix](Path(sys.argv[1]), 10)
try:
    with writer:
        for _ in range(int(sys.argv[2])):
            writer.write(random.integers(0, 256, (120, 160, 3), np.uint8))
except MediaError as err:
    print(err)
"""


@pytest.mark.parametrize('name', ['a.mp4', 'a.gif'])
@pytest.mark.parametrize('frames', [3, 60], ids=['at_the_end', 'in_the_middle'])
def test_a_video_that_does_not_fit_on_the_disk_is_one_error_and_removed(
    tmp_path: Path, name: str, frames: int
):
    """A limit on the size of a file fails a write as a full disk does."""
    path = tmp_path / name
    done = subprocess.run(
        [sys.executable, '-c', FULL, str(path), str(frames)],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert str(path) in done.stdout and 'cannot be' in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('content', [b'', b'not a picture'])
def test_what_is_no_picture_or_video_is_refused_by_name(tmp_path: Path, content: bytes):
    path = tmp_path / 'bad.png'
    path.write_bytes(content)
    with pytest.raises(MediaError, match='bad.png'):
        read_image(path)
    movie = path.rename(tmp_path / 'bad.mp4')
    with pytest.raises(MediaError, match='bad.mp4'):
        VideoReader(movie)
    with pytest.raises(MediaError, match='none.png cannot be read'):
        read_image(tmp_path / 'none.png')


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path):
    with pytest.raises(MediaError, match='cannot be written'):
        write_bytes(tmp_path / 'none' / 'a.bin', b'x')
    (tmp_path / 'a.bin').mkdir()
    with pytest.raises(MediaError, match='cannot be written'):
        write_bytes(tmp_path / 'a.bin', b'x')
    assert [p.name for p in tmp_path.iterdir()] == ['a.bin']
