"""``hydranet predict``: pictures, folders and videos without ROS."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from hydranet_ros.camera.conventions import depth_to_millimeters
from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import HydranetError, ImageError, MediaError
from hydranet_ros.images.files import (
    VIDEOS,
    Frame,
    GifWriter,
    VideoReader,
    VideoWriter,
    list_images,
    read_image,
    write_bytes,
    write_image,
)
from hydranet_ros.images.header import DEFAULT_MAX_PIXELS, check_pixels
from hydranet_ros.inference.engine import Engine, EngineOptions
from hydranet_ros.model_files.resolve import choose_model
from hydranet_ros.perception.colormaps import color_depth
from hydranet_ros.perception.pipeline import (
    Output,
    Perception,
    PerceptionResult,
    PerceptionSettings,
)
from hydranet_ros.perception.ply import write_ply


@dataclass(frozen=True)
class PredictOptions:
    """
    How to predict.

    :param intrinsics: fx, fy, cx, cy in pixels of the source, ``None`` if unknown: then there is
        no cloud, and depth is as the training camera would see it.
    :param max_pixels: the largest width times height of an image or video that is accepted.
    """

    preset: str = 'street'
    model: str = ''
    intrinsics: tuple[float, float, float, float] | None = None
    engine: EngineOptions = field(default_factory=EngineOptions)
    settings: PerceptionSettings = field(default_factory=PerceptionSettings)
    max_pixels: int = DEFAULT_MAX_PIXELS


@dataclass(frozen=True)
class _Job:
    """
    An image or video to predict.

    :param folder: where its results go.
    :param name: what the names of its results begin with.
    """

    path: Path
    folder: Path
    name: str


def predict_all(inputs: Sequence[Path], output: Path, options: PredictOptions) -> int:
    """
    Predict every input into ``output`` and return how many failed.

    A picture NAME gives ``NAME_mask.png`` (class ids), ``NAME_depth.png`` (uint16 millimetres, 0
    unknown), ``NAME_depth.npy`` (float32 metres, NaN unknown), ``NAME_overlay.png``,
    ``NAME_side.png`` and, with intrinsics, ``NAME.ply``; a video gives ``NAME.mp4`` and
    ``NAME.gif`` of image, overlay and depth side by side. An input that fails is reported, and the
    others are processed.

    Results keep the folders of the inputs below the deepest folder that all inputs share: those of
    one folder lie directly in ``output``, those of ``day1`` and ``day2`` in ``output/day1`` and
    ``output/day2``. NAME is the name of the file without its ending, or with it where two files of
    a folder differ only in the ending.

    :raises HydranetError: if the model cannot be loaded or the folder not be made.
    """
    console = Console(stderr=True)
    choice = choose_model(options.preset, model=options.model)
    engine = Engine(choice.path, options.engine)
    for warning in (*choice.warnings, *engine.warnings):
        console.print(f'warning: {warning}', markup=False)
    perception = Perception(engine, options.settings)
    _make_folder(output)
    files, failed = _files(inputs)
    done = 0
    with Progress(console=console) as progress:
        task = progress.add_task('predict', total=len(files))
        for job in _jobs(files, _shared_folder(inputs), output):
            try:
                _predict_one(job, perception, options, progress)
                done += 1
            except HydranetError as err:
                failed += 1
                _report(err)
            progress.advance(task)
    print(f'{done} of {done + failed} done with {choice.path.name} on '
          f'{perception.engine.provider}; results in {output}')  # fmt: skip
    return failed


def _report(err: HydranetError) -> None:
    print(f'hydranet: {err}', file=sys.stderr)


def _files(inputs: Sequence[Path]) -> tuple[dict[Path, Path], int]:
    """Return all images and videos by absolute path, and how many inputs failed."""
    found: dict[Path, Path] = {}
    failed = 0
    for path in inputs:
        try:
            files = list_images(path) if path.is_dir() else [path]
        except MediaError as err:
            failed += 1
            _report(err)
            continue
        found.update((Path(os.path.abspath(item)), item) for item in files)
    return found, failed


def _shared_folder(inputs: Sequence[Path]) -> Path:
    folders = [path if path.is_dir() else path.parent for path in inputs]
    return Path(os.path.commonpath([os.path.abspath(folder) for folder in folders]))


def _jobs(files: Mapping[Path, Path], shared: Path, output: Path) -> Iterator[_Job]:
    """Yield a job for each file; no two have the same folder and name."""
    stems = Counter(absolute.with_suffix('') for absolute in files)
    for absolute, path in files.items():
        name = path.stem if stems[absolute.with_suffix('')] == 1 else path.name
        yield _Job(path, output / absolute.parent.relative_to(shared), name)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise MediaError(f'{folder} cannot be made: {err.strerror or err}.') from err


def _predict_one(
    job: _Job, perception: Perception, options: PredictOptions, progress: Progress
) -> None:
    if job.path.suffix.lower() in VIDEOS:
        _predict_video(job, perception, options, progress)
        return
    frame = Frame(job.name, 0.0, read_image(job.path, max_pixels=options.max_pixels))
    camera = _camera(frame.image, options)
    wanted = perception.available & {Output.MASK, Output.OVERLAY, Output.DEPTH, Output.POINTS}
    result = perception.process(frame.image, camera, wanted=wanted)
    _make_folder(job.folder)
    write_result(job.folder, frame, result, perception)


def _limited(video: VideoReader, options: PredictOptions) -> Iterator[Frame]:
    for frame in video:
        try:
            check_pixels(frame.image.shape[1], frame.image.shape[0], options.max_pixels)
        except ImageError as err:
            raise MediaError(f'{video.path}: {err}') from err
        yield frame


def _camera(image: np.ndarray, options: PredictOptions) -> CameraModel | None:
    if options.intrinsics is None:
        return None
    return CameraModel(image.shape[1], image.shape[0], *options.intrinsics)


def write_result(
    output: Path, frame: Frame, result: PerceptionResult, perception: Perception
) -> None:
    """
    Write one picture's results; see :func:`predict_all`.

    :raises MediaError: if a file cannot be written.
    """
    stem = output / frame.name
    if result.labels is not None:
        write_image(stem.with_name(f'{frame.name}_mask.png'), result.labels)
    if result.overlay is not None:
        write_image(stem.with_name(f'{frame.name}_overlay.png'), result.overlay)
    if result.depth is not None:
        write_image(stem.with_name(f'{frame.name}_depth.png'), depth_to_millimeters(result.depth))
        handle = BytesIO()
        np.save(handle, result.depth)
        write_bytes(stem.with_name(f'{frame.name}_depth.npy'), handle.getvalue())
    write_image(stem.with_name(f'{frame.name}_side.png'), side_by_side(frame, result, perception))
    if result.cloud is not None:
        write_ply(stem.with_name(f'{frame.name}.ply'), result.cloud)


def side_by_side(frame: Frame, result: PerceptionResult, perception: Perception) -> np.ndarray:
    """Return image, overlay and depth beside each other, or above each other if they are wide."""
    parts = [frame.image]
    if result.overlay is not None:
        parts.append(result.overlay)
    if result.depth is not None:
        parts.append(color_depth(result.depth, perception.engine.info.depth_range))
    wide = frame.image.shape[1] > 2 * frame.image.shape[0]
    return np.vstack(parts) if wide else np.hstack(parts)


def _predict_video(
    job: _Job, perception: Perception, options: PredictOptions, progress: Progress
) -> None:
    wanted = perception.available & {Output.OVERLAY, Output.DEPTH}
    path = job.path
    targets = [job.folder / f'{job.name}{ending}' for ending in ('.mp4', '.gif')]
    if path.resolve() in [target.resolve() for target in targets]:
        raise MediaError(f'{path} would be overwritten by its result; choose another folder.')
    with ExitStack() as stack:
        video = stack.enter_context(VideoReader(path))
        _make_folder(job.folder)
        task = progress.add_task(path.name, total=video.count or None)
        movie = stack.enter_context(VideoWriter(targets[0], video.fps))
        gif = stack.enter_context(GifWriter(targets[1], video.fps))
        images = _limited(video, options)
        frames = ((frame.image, _camera(frame.image, options), frame) for frame in images)
        for frame, result in perception.stream(frames, wanted=wanted):
            picture = side_by_side(frame, result, perception)
            movie.write(picture)
            gif.write(picture)
            progress.advance(task)
