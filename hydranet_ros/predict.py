"""``hydranet predict``: pictures, folders and videos without ROS."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from hydranet_ros.perception.colormaps import colour_depth
from hydranet_ros.inference.engine import Engine, EngineOptions
from hydranet_ros.errors import HydranetError, ImageError, MediaError
from hydranet_ros.camera.model import CameraModel
from hydranet_ros.image_header import DEFAULT_MAX_PIXELS, check_pixels
from hydranet_ros.media import (
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
from hydranet_ros.model_files.resolve import choose_model
from hydranet_ros.perception.pipeline import Output, Perception, PerceptionResult, PerceptionSettings
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


def predict_all(inputs: Iterable[Path], output: Path, options: PredictOptions) -> int:
    """
    Predict every input into ``output`` and return how many failed.

    A picture NAME gives ``NAME_mask.png`` (class ids), ``NAME_depth.png`` (uint16 millimetres, 0
    unknown), ``NAME_depth.npy`` (float32 metres, NaN unknown), ``NAME_overlay.png``,
    ``NAME_side.png`` and, with intrinsics, ``NAME.ply``; a video gives ``NAME.mp4`` and
    ``NAME.gif`` of image, overlay and depth side by side. One that fails is reported, the others
    go on.

    :raises HydranetError: if the model cannot be loaded or the folder not be made.
    """
    console = Console(stderr=True)
    choice = choose_model(options.preset, model=options.model)
    engine = Engine(choice.path, options.engine)
    for warning in (*choice.warnings, *engine.warnings):
        console.print(f'warning: {warning}', markup=False)
    perception = Perception(engine, options.settings)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise MediaError(f'{output} cannot be made: {err.strerror or err}.') from err
    done = failed = 0
    with Progress(console=console) as progress:
        jobs = list(_jobs(inputs))
        task = progress.add_task('predict', total=len(jobs))
        for path in jobs:
            try:
                _predict_one(path, output, perception, options, progress)
                done += 1
            except HydranetError as err:
                failed += 1
                print(f'hydranet: {err}', file=sys.stderr)
            progress.advance(task)
    print(f'{done} of {done + failed} done with {choice.path.name} on '
          f'{perception.engine.provider}; results in {output}')  # fmt: skip
    return failed


def _jobs(inputs: Iterable[Path]) -> Iterator[Path]:
    for path in inputs:
        if path.is_dir():
            yield from list_images(path)
        else:
            yield path


def _predict_one(
    path: Path, output: Path, perception: Perception, options: PredictOptions, progress: Progress
) -> None:
    if path.suffix.lower() in VIDEOS:
        _predict_video(path, output, perception, options, progress)
        return
    frame = Frame(path.stem, 0.0, read_image(path, max_pixels=options.max_pixels))
    camera = _camera(frame.image, options)
    wanted = perception.available & {Output.MASK, Output.OVERLAY, Output.DEPTH, Output.POINTS}
    result = perception.process(frame.image, camera, wanted=wanted)
    write_result(output, frame, result, perception)


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
        millimetres = np.nan_to_num(result.depth * 1000, nan=0.0)
        kept = np.where(millimetres < 65535.5, millimetres, 0)
        write_image(stem.with_name(f'{frame.name}_depth.png'), np.rint(kept).astype(np.uint16))
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
        parts.append(colour_depth(result.depth, perception.engine.info.depth_range))
    wide = frame.image.shape[1] > 2 * frame.image.shape[0]
    return np.vstack(parts) if wide else np.hstack(parts)


def _predict_video(
    path: Path, output: Path, perception: Perception, options: PredictOptions, progress: Progress
) -> None:
    wanted = perception.available & {Output.OVERLAY, Output.DEPTH}
    targets = [output / f'{path.stem}{ending}' for ending in ('.mp4', '.gif')]
    if path.resolve() in [target.resolve() for target in targets]:
        raise MediaError(f'{path} would be overwritten by its result; choose another folder.')
    with ExitStack() as stack:
        video = stack.enter_context(VideoReader(path))
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
