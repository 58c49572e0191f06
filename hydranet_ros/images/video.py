"""Video files: read any format, write MP4 and GIF, one frame at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import MediaError

VIDEO_SUFFIXES = ('.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v', '.gif', '.mpg', '.mpeg')
GIF_WIDTH = 640
GIF_FPS = 50
_DEFAULT_FPS = 25
_LARGEST_DENOMINATOR = 1001

_W = TypeVar('_W', bound='_Writer')


@dataclass(frozen=True)
class Frame:
    """
    One frame of a video, or a single image.

    :param seconds: time since the start of the video.
    :param image: (H, W, 3) uint8 RGB.
    """

    name: str
    seconds: float
    image: NDArray[np.uint8]


class VideoReader:
    """
    Reads the frames of a video, decoding each when it is requested.

    :raises MediaError: if the file is not a video.
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
        self.fps = float(self._stream.average_rate or _DEFAULT_FPS)
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
                seconds = frame.time if frame.time is not None else index / self.fps
                image = np.asarray(frame.to_ndarray(format='rgb24'), np.uint8)
                yield Frame(f'{self.path.stem}_{index:06d}', float(seconds), image)
                index += 1
        except av.error.FFmpegError as err:
            raise MediaError(f'{self.path} is damaged after frame {index}: {err}') from err


class _Writer:
    """
    Writes a video one frame at a time; leaving the context completes the file.

    A file that cannot be completed, for example because the disk is full, is removed.

    :raises MediaError: if the file cannot be written.
    """

    def __init__(self, path: Path, rate: float) -> None:
        self.path = path
        self._rate = Fraction(rate).limit_denominator(_LARGEST_DENOMINATOR)
        self._container: Any = None
        self._stream: Any = None

    def __enter__(self: _W) -> _W:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """
        Complete the file.

        :raises MediaError: if the disk is full; the file is removed.
        """
        container, self._container = self._container, None
        if container is not None:
            _complete(self.path, container, self._stream)

    def _append(self, frame: Any) -> None:
        import av

        try:
            if self._container is None:
                container = av.open(str(self.path), 'w')
                self._stream = self._add_stream(container, frame)
                self._container = container
            for packet in self._stream.encode(self._prepared(frame)):
                self._container.mux(packet)
        except (av.error.FFmpegError, OSError) as err:
            raise MediaError(f'{self.path} cannot be written: {err}') from err

    def _add_stream(self, container: Any, frame: Any) -> Any:
        """Add a stream for frames of this size, and return it."""
        raise NotImplementedError

    def _prepared(self, frame: Any) -> Any:
        """Return the frame in the pixel format of the stream."""
        return frame


class VideoWriter(_Writer):
    """
    Writes an MP4 (H.264) one frame at a time; leaving the context completes the file.

    H.264 requires even sides: an odd last row or column is dropped. A file that cannot be
    completed, for example because the disk is full, is removed.

    :raises MediaError: if the file cannot be written.
    """

    def write(self, image: NDArray[np.uint8]) -> None:
        """Append an (H, W, 3) uint8 RGB image."""
        import av

        height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
        even = np.ascontiguousarray(image[:height, :width])
        self._append(av.VideoFrame.from_ndarray(even, format='rgb24'))

    def _add_stream(self, container: Any, frame: Any) -> Any:
        stream = container.add_stream('libx264', rate=self._rate)
        stream.width, stream.height = frame.width, frame.height
        stream.pix_fmt = 'yuv420p'
        stream.options = {'crf': '20', 'preset': 'veryfast'}
        return stream


class GifWriter(_Writer):
    """
    Writes a GIF one frame at a time, at most 640 pixels wide, with a palette for every frame.

    GIF counts time in hundredths of a second, so the frame rate is met on average. Players do
    not show more than 50 frames per second; of a faster source, every n-th frame is written. A
    file that cannot be completed is removed.

    :raises MediaError: if the file cannot be written.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self._every = max(1, round(fps / GIF_FPS))
        super().__init__(path, fps / self._every)
        self._received = 0
        self._graph: Any = None

    def write(self, image: NDArray[np.uint8]) -> None:
        """Append an (H, W, 3) uint8 RGB image."""
        import av

        index, rest = divmod(self._received, self._every)
        self._received += 1
        if rest:
            return
        frame = av.VideoFrame.from_ndarray(_fit_width(image), format='rgb24')
        frame.pts = index
        frame.time_base = 1 / self._rate
        self._append(frame)

    def _add_stream(self, container: Any, frame: Any) -> Any:
        self._graph = _palette_graph(frame)
        stream = container.add_stream('gif', rate=self._rate)
        stream.width, stream.height = frame.width, frame.height
        stream.pix_fmt = 'pal8'
        return stream

    def _prepared(self, frame: Any) -> Any:
        self._graph.push(frame)
        return self._graph.pull()


def _palette_graph(frame: Any) -> Any:
    """Return a filter graph that computes a palette of 256 colors for every frame."""
    import av

    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    split, sink = graph.add('split'), graph.add('buffersink')
    generate = graph.add('palettegen', 'stats_mode=single')
    use = graph.add('paletteuse', 'new=1:dither=none')
    source.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(generate, 1, 0)
    generate.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph


def _complete(path: Path, container: Any, stream: Any) -> None:
    """Flush the encoder, then write the index; remove the file if that fails."""
    import av

    try:
        try:
            for packet in stream.encode():
                container.mux(packet)
        finally:
            container.close()
    except (av.error.FFmpegError, OSError) as err:
        path.unlink(missing_ok=True)
        raise MediaError(f'{path} cannot be completed and is removed: {err}') from err


def _fit_width(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the image, reduced to at most :data:`GIF_WIDTH` pixels in width."""
    height, width = image.shape[:2]
    if width <= GIF_WIDTH:
        return np.ascontiguousarray(image)
    size = (GIF_WIDTH, round(height * GIF_WIDTH / width))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
