"""Videos are read and written one frame at a time."""

from __future__ import annotations

import subprocess
import sys
import wave
from dataclasses import FrozenInstanceError
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from hydranet_ros.errors import MediaError
from hydranet_ros.images.video import Frame, GifWriter, VideoReader, VideoWriter


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


@pytest.mark.parametrize('rate', [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(25, 2)])
def test_the_rates_of_television_are_exact(tmp_path: Path, rate: Fraction):
    with VideoWriter(tmp_path / 'a.mp4', float(rate)) as writer:
        for index in range(3):
            writer.write(frame(index))
    with av.open(str(tmp_path / 'a.mp4')) as container:
        assert container.streams.video[0].average_rate == rate


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
    ('fps', 'indices'),
    [(12.5, range(6)), (50, range(6)), (74, range(6)), (76, (0, 2, 4)), (100, (0, 2, 4)),
     (150, (0, 3))],
)  # fmt: skip
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


def encode(path: Path, count: int, codec: str, *, widths: tuple[int, ...] = (64,)) -> Path:
    """Write a video of 12.5 frames per second with a stream for each width."""
    with av.open(str(path), 'w') as container:
        streams = []
        for width in widths:
            stream = container.add_stream(codec, rate=Fraction(25, 2))
            stream.width, stream.height, stream.pix_fmt = width, 48, 'yuv420p'
            stream.options = {'bf': '0'}
            streams.append(stream)
        for stream in streams:
            for index in range(count):
                image = frame(index, (48, stream.width))
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
            container.mux(stream.encode())
    return path


def test_frames_without_a_timestamp_follow_at_the_rate_of_the_video(tmp_path: Path):
    """A bare H.264 stream, as an IP camera records it, has no timestamps."""
    with VideoReader(encode(tmp_path / 'a.h264', 5, 'libx264')) as reader:
        assert reader.count == 0
        frames = list(reader)
    assert [item.name for item in frames] == [f'a_{index:06d}' for index in range(5)]
    found = [item.seconds for item in frames]
    np.testing.assert_allclose(found, np.arange(5) / reader.fps)


def test_a_video_without_a_rate_has_25_frames_per_second(tmp_path: Path):
    with VideoReader(encode(tmp_path / 'a.ts', 1, 'libx264')) as reader:
        assert reader.fps == 25.0


def test_of_several_video_streams_the_first_is_read(tmp_path: Path):
    with VideoReader(encode(tmp_path / 'a.mkv', 2, 'libx264', widths=(64, 32))) as reader:
        assert [item.image.shape for item in reader] == [(48, 64, 3)] * 2


def test_a_frame_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Frame('a_000000', 0.0, frame(0)).seconds = 1.0


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


def test_a_file_of_sound_is_not_a_video(tmp_path: Path):
    with wave.open(str(tmp_path / 'a.wav'), 'wb') as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(1600))
    with pytest.raises(MediaError, match=r'a\.wav is not a video'):
        VideoReader(tmp_path / 'a.wav')


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
        if sys.argv[3] == 'removed':
            Path(sys.argv[1]).unlink()
except MediaError as err:
    print(err)
"""


def write_to_a_full_disk(path: Path, frames: int, file: str) -> str:
    """Return the output; a limit on the file size makes writing fail as a full disk does."""
    done = subprocess.run(
        [sys.executable, '-c', FULL, str(path), str(frames), file],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize('name', ['a.mp4', 'a.gif'])
@pytest.mark.parametrize('frames', [3, 60], ids=['at_the_end', 'in_the_middle'])
def test_a_video_that_does_not_fit_on_the_disk_is_one_error_and_is_removed(
    tmp_path: Path, name: str, frames: int
):
    output = write_to_a_full_disk(tmp_path / name, frames, 'kept')
    assert str(tmp_path / name) in output and 'cannot be' in output
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_is_removed_while_it_is_written_is_the_same_error(tmp_path: Path):
    output = write_to_a_full_disk(tmp_path / 'a.mp4', 3, 'removed')
    assert 'a.mp4 cannot be completed and is removed' in output
