"""Process image files, folders and videos without ROS."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import HydranetError, ImageError, MediaError
from hydranet_ros.images.files import read_image
from hydranet_ros.images.header import DEFAULT_MAX_PIXELS, check_pixels
from hydranet_ros.images.video import VIDEO_SUFFIXES, Frame, GifWriter, VideoReader, VideoWriter
from hydranet_ros.inference.engine import Engine, EngineOptions
from hydranet_ros.model_files.resolve import choose_model
from hydranet_ros.perception.colormaps import Rgb
from hydranet_ros.perception.outputs import Output
from hydranet_ros.perception.pipeline import Perception, PerceptionSettings
from hydranet_ros.perception.result_files import (
    Job,
    create_folder,
    list_inputs,
    plan_jobs,
    side_by_side,
    write_results,
)

IMAGE_OUTPUTS = frozenset({Output.MASK, Output.OVERLAY, Output.DEPTH, Output.POINTS})
VIDEO_OUTPUTS = frozenset({Output.OVERLAY, Output.DEPTH})


@dataclass(frozen=True)
class PredictOptions:
    """
    Options of :func:`predict_all`.

    :param intrinsics: fx, fy, cx, cy in pixels of the input. ``None`` if unknown: then there is
        no cloud, and depth is that of the training camera.
    :param max_pixels: the largest width times height of an image or video that is accepted.
    """

    preset: str = 'street'
    model: str = ''
    intrinsics: tuple[float, float, float, float] | None = None
    engine: EngineOptions = field(default_factory=EngineOptions)
    settings: PerceptionSettings = field(default_factory=PerceptionSettings)
    max_pixels: int = DEFAULT_MAX_PIXELS

    def camera(self, image: Rgb) -> CameraModel | None:
        """Return the camera of an image, ``None`` if the intrinsics are unknown."""
        if self.intrinsics is None:
            return None
        return CameraModel(image.shape[1], image.shape[0], *self.intrinsics)


def predict_all(inputs: Sequence[Path], output: Path, options: PredictOptions) -> int:
    """
    Write the results of all inputs to a folder and return the number of inputs that failed.

    An image gives the files of :func:`~hydranet_ros.perception.result_files.write_results`; a
    video gives ``NAME.mp4`` and ``NAME.gif`` of image, overlay and depth side by side. An input
    that fails is reported, and the others are processed. See
    :func:`~hydranet_ros.perception.result_files.plan_jobs` for the names of the results.

    :param inputs: images, folders of images and videos.
    :raises HydranetError: if the model cannot be loaded or the folder cannot be created.
    """
    console = Console(stderr=True)
    choice = choose_model(options.preset, model=options.model)
    engine = Engine(choice.path, options.engine)
    for warning in (*choice.warnings, *engine.warnings):
        console.print(f'warning: {warning}', markup=False)
    perception = Perception(engine, options.settings)
    create_folder(output)
    files, failed = _list_files(inputs)
    done = 0
    jobs = list(plan_jobs(files, inputs, output))
    with Progress(console=console) as progress:
        for job in progress.track(jobs, description='predict'):
            try:
                _predict(job, perception, options, progress)
                done += 1
            except HydranetError as err:
                failed += 1
                _report(err)
    print(f'Processed {done} of {done + failed} inputs with {choice.path.name} on '
          f'{engine.provider}; results are in {output}.')  # fmt: skip
    return failed


def _report(err: HydranetError) -> None:
    print(f'hydranet: {err}', file=sys.stderr)


def _list_files(inputs: Sequence[Path]) -> tuple[list[Path], int]:
    """Return all images and videos, and the number of inputs that failed."""
    files: list[Path] = []
    failed = 0
    for path in inputs:
        try:
            files += list_inputs(path)
        except MediaError as err:
            failed += 1
            _report(err)
    return files, failed


def _predict(
    job: Job, perception: Perception, options: PredictOptions, progress: Progress
) -> None:
    if job.path.suffix.lower() in VIDEO_SUFFIXES:
        _predict_video(job, perception, options, progress)
    else:
        _predict_image(job, perception, options)


def _predict_image(job: Job, perception: Perception, options: PredictOptions) -> None:
    image = read_image(job.path, max_pixels=options.max_pixels)
    wanted = IMAGE_OUTPUTS & perception.available
    result = perception.process(image, options.camera(image), wanted=wanted)
    write_results(job, image, result, perception.engine.info.depth_range)


def _predict_video(
    job: Job, perception: Perception, options: PredictOptions, progress: Progress
) -> None:
    wanted = VIDEO_OUTPUTS & perception.available
    depth_range = perception.engine.info.depth_range
    mp4, gif = job.result('.mp4'), job.result('.gif')
    if job.path.resolve() in (mp4.resolve(), gif.resolve()):
        raise MediaError(
            f'{job.path} would be overwritten by its result. Choose another output folder.'
        )
    with ExitStack() as stack:
        video = stack.enter_context(VideoReader(job.path))
        create_folder(job.folder)
        task = progress.add_task(job.path.name, total=video.count or None)
        writers: list[VideoWriter | GifWriter] = [
            stack.enter_context(VideoWriter(mp4, video.fps)),
            stack.enter_context(GifWriter(gif, video.fps)),
        ]
        images = (frame.image for frame in _checked(video, options.max_pixels))
        frames = ((image, options.camera(image), image) for image in images)
        for image, result in perception.stream(frames, wanted=wanted):
            shown = side_by_side(image, result, depth_range)
            for writer in writers:
                writer.write(shown)
            progress.advance(task)


def _checked(video: VideoReader, max_pixels: int) -> Iterator[Frame]:
    for frame in video:
        try:
            check_pixels(frame.image.shape[1], frame.image.shape[0], max_pixels)
        except ImageError as err:
            raise MediaError(f'{video.path}: {err}') from err
        yield frame
