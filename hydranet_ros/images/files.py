"""Pictures, folders and videos in; pictures, MP4 and GIF out, a frame at a time."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import ImageError, MediaError
from hydranet_ros.images.header import LARGEST_MAX_PIXELS, check_pixels, image_size

IMAGES = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp', '.ppm', '.pgm')
VIDEOS = ('.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v', '.gif', '.mpg', '.mpeg')
GIF_WIDTH = 640
GIF_FPS = 50


@dataclass(frozen=True)
class Frame:
    """
    One picture.

    :param seconds: time since the start of the source.
    :param image: (H, W, 3) uint8 RGB.
    """

    name: str
    seconds: float
    image: NDArray[np.uint8]


def natural_order(path: Path) -> list[Any]:
    """Return a sort key that puts frame-2 before frame-10."""
    return [int(part) if part.isdigit() else part for part in re.split(r'(\d+)', path.name)]


def list_images(folder: Path, pattern: str = '*') -> list[Path]:
    """
    Return the pictures of a folder in natural order.

    :raises MediaError: if there are none.
    """
    found = [path for path in folder.glob(pattern) if path.suffix.lower() in IMAGES]
    if not found:
        raise MediaError(
            f'{folder} holds no picture that matches {pattern!r}; known endings: '
            f'{", ".join(IMAGES)}.'
        )
    return sorted(found, key=natural_order)


def read_image(path: Path, *, max_pixels: int = LARGEST_MAX_PIXELS) -> NDArray[np.uint8]:
    """
    Return a picture as (H, W, 3) uint8 RGB; grey, alpha and 16-bit ones are converted.

    :param max_pixels: the largest width times height that is accepted. JPEG and PNG headers are
        read before decoding; OPENCV_IO_MAX_IMAGE_PIXELS bounds the decoding of every format.
    :raises MediaError: if it is missing, cannot be decoded, or has more than ``max_pixels``.
    """
    try:
        raw = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as err:
        raise MediaError(f'{path} cannot be read: {err.strerror or err}.') from err
    try:
        size = image_size(raw.data)
        if size is not None:
            check_pixels(*size, max_pixels)
        image = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
        if image is not None:
            check_pixels(image.shape[1], image.shape[0], max_pixels)
    except ImageError as err:
        raise MediaError(f'{path}: {err}') from err
    except cv2.error as err:
        raise MediaError(_decoder_error(path, ' '.join(str(err).split()))) from err
    if image is None:
        raise MediaError(f'{path} ({raw.size} bytes) is not a picture that can be decoded.')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _decoder_error(path: Path, reason: str) -> str:
    limit = os.environ.get('OPENCV_IO_MAX_IMAGE_PIXELS', '')
    if 'CV_IO_MAX_IMAGE' in reason:
        return (
            f'{path} is larger than OpenCV decodes: the limit is {limit} pixels. Resize the '
            'image, or set the environment variable OPENCV_IO_MAX_IMAGE_PIXELS.'
        )
    return f'{path} cannot be decoded by OpenCV: {reason}'


def write_image(path: Path, image: NDArray) -> None:
    """
    Write an (H, W) or RGB (H, W, 3) picture, uint8 or uint16, by the path's ending.

    :raises MediaError: if it cannot be written.
    """
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(path.suffix, image)
    if not done:
        raise MediaError(f'{path}: a picture of {image.shape} {image.dtype} cannot be encoded.')
    write_bytes(path, data.tobytes())


def write_bytes(path: Path, data: bytes) -> None:
    """
    Write a file whole or not at all.

    :raises MediaError: if the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f'.{path.name}.part')
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as err:
        temporary.unlink(missing_ok=True)
        raise MediaError(f'{path} cannot be written: {err.strerror or err}.') from err


class VideoReader:
    """
    Frames of a video, decoded as they are asked for.

    :raises MediaError: if the file is no video.
    """

    def __init__(self, path: Path) -> None:
        import av

        self.path = path
        try:
            self._container = av.open(str(path))
            self._stream = self._container.streams.video[0]
        except (av.error.FFmpegError, IndexError, OSError) as err:
            raise MediaError(f'{path} is not a video that can be decoded: {err}') from err
        self._stream.thread_type = 'AUTO'
        self.fps = float(self._stream.average_rate or 25)
        self.count = int(self._stream.frames or 0)

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        import av

        index = 0
        try:
            for frame in self._container.decode(self._stream):
                moment = frame.time if frame.time is not None else index / self.fps
                image = np.asarray(frame.to_ndarray(format='rgb24'), np.uint8)
                yield Frame(f'{self.path.stem}_{index:06d}', float(moment), image)
                index += 1
        except av.error.FFmpegError as err:
            raise MediaError(f'{self.path} is damaged after frame {index}: {err}') from err


class VideoWriter:
    """
    Writes an MP4 (H.264) a frame at a time; leaving the context finishes the file.

    Sides are cut to even numbers, as the format asks. A file that cannot be finished, for example
    because the disk is full, is removed.

    :raises MediaError: if the file cannot be written.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self._rate = Fraction(fps).limit_denominator(1001)
        self._container: Any = None
        self._stream: Any = None

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, image: NDArray[np.uint8]) -> None:
        """Append an (H, W, 3) uint8 RGB picture."""
        import av

        height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
        try:
            if self._container is None:
                self._open(height, width)
            even = np.ascontiguousarray(image[:height, :width])
            frame = av.VideoFrame.from_ndarray(even, format='rgb24')
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except (av.error.FFmpegError, OSError) as err:
            raise MediaError(f'{self.path} cannot be written: {err}') from err

    def _open(self, height: int, width: int) -> None:
        import av

        self._container = av.open(str(self.path), 'w')
        self._stream = self._container.add_stream('libx264', rate=self._rate)
        self._stream.width, self._stream.height = width, height
        self._stream.pix_fmt = 'yuv420p'
        self._stream.options = {'crf': '20', 'preset': 'veryfast'}

    def close(self) -> None:
        """
        Finish the file.

        :raises MediaError: if the disk is full; the file is removed.
        """
        container, self._container = self._container, None
        if container is not None:
            _finish(self.path, container, self._stream)


class GifWriter:
    """
    Writes a GIF a frame at a time, at most 640 pixels wide, with a palette for every frame.

    GIF counts time in hundredths of a second, so the frame rate is met on average; above 50
    frames a second, which players do not show, frames are left out evenly. A file that cannot be
    finished is removed.

    :raises MediaError: if the file cannot be written.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self._every = max(1, round(fps / GIF_FPS))
        self._rate = Fraction(fps / self._every).limit_denominator(1001)
        self._seen = 0
        self._container: Any = None
        self._stream: Any = None
        self._graph: Any = None

    def __enter__(self) -> GifWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, image: NDArray[np.uint8]) -> None:
        """Append an (H, W, 3) uint8 RGB picture."""
        import av

        self._seen += 1
        if (self._seen - 1) % self._every:
            return
        frame = av.VideoFrame.from_ndarray(_shrunk(image), format='rgb24')
        frame.pts = (self._seen - 1) // self._every
        frame.time_base = 1 / self._rate
        try:
            if self._container is None:
                self._open(frame)
            self._graph.push(frame)
            for packet in self._stream.encode(self._graph.pull()):
                self._container.mux(packet)
        except (av.error.FFmpegError, OSError) as err:
            raise MediaError(f'{self.path} cannot be written: {err}') from err

    def _open(self, frame: Any) -> None:
        import av

        self._container = av.open(str(self.path), 'w')
        self._stream = self._container.add_stream('gif', rate=self._rate)
        self._stream.width, self._stream.height = frame.width, frame.height
        self._stream.pix_fmt = 'pal8'
        graph = self._graph = av.filter.Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format,
            time_base=frame.time_base,
        )  # fmt: skip
        split, sink = graph.add('split'), graph.add('buffersink')
        table = graph.add('palettegen', 'stats_mode=single')
        use = graph.add('paletteuse', 'new=1:dither=none')
        source.link_to(split)
        split.link_to(use, 0, 0)
        split.link_to(table, 1, 0)
        table.link_to(use, 0, 1)
        use.link_to(sink)
        graph.configure()

    def close(self) -> None:
        """
        Finish the file.

        :raises MediaError: if the disk is full; the file is removed.
        """
        container, self._container = self._container, None
        if container is not None:
            _finish(self.path, container, self._stream)


def _finish(path: Path, container: Any, stream: Any) -> None:
    """Write what the encoder still holds, then the index; remove the file if that fails."""
    import av

    try:
        try:
            for packet in stream.encode():
                container.mux(packet)
        finally:
            container.close()
    except (av.error.FFmpegError, OSError) as err:
        path.unlink(missing_ok=True)
        raise MediaError(f'{path} cannot be finished and is removed: {err}') from err


def _shrunk(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    if width <= GIF_WIDTH:
        return np.ascontiguousarray(image)
    size = (GIF_WIDTH, round(height * GIF_WIDTH / width))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
