"""Videos are read and written one frame at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hydranet_ros.errors import MediaError
from hydranet_ros.images.video import GifWriter, VideoReader, VideoWriter


def frame(index: int, size=(48, 64)) -> np.ndarray:
    image = np.full((*size, 3), (40, 90, 200), np.uint8)
    image[:, : 4 * index + 4] = (250, 200, 10)
    return image


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


def test_an_odd_last_row_and_column_are_dropped(tmp_path: Path):
    with VideoWriter(tmp_path / 'a.mp4', 10) as writer:
        writer.write(frame(0, (49, 65)))
    with VideoReader(tmp_path / 'a.mp4') as reader:
        assert next(iter(reader)).image.shape == (48, 64, 3)


def test_a_gif_keeps_its_frames_and_its_rate_and_is_at_most_640_pixels_wide(tmp_path: Path):
    path = tmp_path / 'a.gif'
    with GifWriter(path, 10) as writer:
        for index in range(6):
            writer.write(frame(index, (100, 1000)))
    with VideoReader(path) as reader:
        frames = list(reader)
    assert len(frames) == 6
    assert frames[0].image.shape == (64, 640, 3)
    assert frames[5].seconds == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ('fps', 'indices'), [(50, range(6)), (74, range(6)), (100, (0, 2, 4)), (150, (0, 3))]
)
def test_a_gif_of_a_fast_source_has_every_nth_frame(tmp_path: Path, fps: float, indices):
    with GifWriter(tmp_path / 'a.gif', fps) as writer:
        for index in range(6):
            writer.write(frame(index))
    with VideoReader(tmp_path / 'a.gif') as reader:
        frames = list(reader)
    assert len(frames) == len(indices)
    for found, index in zip(frames, indices):
        assert found.seconds == pytest.approx(index / fps, abs=0.011)
        np.testing.assert_array_equal(found.image, frame(index))


def test_a_narrow_gif_keeps_its_size(tmp_path: Path):
    with GifWriter(tmp_path / 'a.gif', 10) as writer:
        writer.write(frame(0, (50, 640)))
    with VideoReader(tmp_path / 'a.gif') as reader:
        assert next(iter(reader)).image.shape == (50, 640, 3)


def test_a_reader_has_rate_count_and_names(tmp_path: Path):
    with VideoWriter(tmp_path / 'film.mp4', 12.5) as writer:
        for index in range(3):
            writer.write(frame(index))
    with VideoReader(tmp_path / 'film.mp4') as reader:
        assert (reader.fps, reader.count) == (12.5, 3)
        frames = list(reader)
    assert [item.name for item in frames] == ['film_000000', 'film_000001', 'film_000002']
    assert all(item.image.dtype == np.uint8 for item in frames)


@pytest.mark.parametrize('kind', [VideoWriter, GifWriter])
def test_a_writer_without_frames_writes_no_file(tmp_path: Path, kind):
    with kind(tmp_path / 'a.mp4', 10):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('kind', [VideoWriter, GifWriter])
def test_closing_twice_is_harmless(tmp_path: Path, kind):
    path = tmp_path / f'a{".mp4" if kind is VideoWriter else ".gif"}'
    with kind(path, 10) as writer:
        writer.write(frame(0))
        writer.close()
    with VideoReader(path) as reader:
        assert len(list(reader)) == 1


@pytest.mark.parametrize('kind', [VideoWriter, GifWriter])
def test_a_missing_folder_is_an_error(tmp_path: Path, kind):
    path = tmp_path / 'none' / f'a{".mp4" if kind is VideoWriter else ".gif"}'
    with pytest.raises(MediaError, match=r'none/a\....* cannot be'), kind(path, 10) as writer:
        writer.write(frame(0))


@pytest.mark.parametrize('content', [b'', b'not a video'])
def test_a_file_that_is_not_a_video_is_an_error(tmp_path: Path, content: bytes):
    (tmp_path / 'bad.mp4').write_bytes(content)
    with pytest.raises(MediaError, match=r'bad\.mp4 is not a video'):
        VideoReader(tmp_path / 'bad.mp4')


def test_a_damaged_video_is_an_error_after_the_frames_before_the_damage(tmp_path: Path):
    path = tmp_path / 'a.mp4'
    random = np.random.default_rng(0)
    with VideoWriter(path, 10) as writer:
        for _ in range(12):
            writer.write(random.integers(0, 256, (120, 160, 3), np.uint8))
    data = path.read_bytes()
    start, end = len(data) // 2, len(data) * 8 // 10
    path.write_bytes(data[:start] + bytes(end - start) + data[end:])
    found = []
    with VideoReader(path) as reader, pytest.raises(MediaError) as error:
        for item in reader:
            found.append(item.image.shape)
    assert 0 < len(found) < 12 and set(found) == {(120, 160, 3)}
    assert f'a.mp4 is damaged after frame {len(found)}: ' in str(error.value)


def test_an_interrupted_video_is_readable_up_to_the_last_frame(tmp_path: Path):
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
from hydranet_ros.images.video import GifWriter, VideoWriter
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
def test_a_video_that_does_not_fit_on_the_disk_is_one_error_and_is_removed(
    tmp_path: Path, name: str, frames: int
):
    """A limit on the file size makes writing fail as a full disk does."""
    path = tmp_path / name
    done = subprocess.run(
        [sys.executable, '-c', FULL, str(path), str(frames)],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert str(path) in done.stdout and 'cannot be' in done.stdout
    assert list(tmp_path.iterdir()) == []
