"""Step 7: time the network, the whole frame and a stream of frames on one provider."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from hydranet_ros.camera.model import CameraModel
from hydranet_ros.doctor.full.images import Image, street_images
from hydranet_ros.doctor.full.outcome import passed
from hydranet_ros.inference.engine import Engine, EngineOptions
from hydranet_ros.perception.outputs import Output
from hydranet_ros.perception.pipeline import Perception

SIZE = (480, 640)
FRAMES = 300
WANTED = frozenset({Output.MASK, Output.DEPTH, Output.POINTS})
_WARM_UP = 10
_FEWEST = 5


def run(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """
    Yield milliseconds of the network alone, of the whole frame, and of a frame in a stream.

    :param arguments: ``model``, ``provider``, ``precision``, ``cache``; ``seconds``: for the
        network at most; the other two take half of it.
    """
    options = EngineOptions(
        provider=arguments['provider'], precision=arguments['precision'],
        cache_directory=Path(arguments['cache']),
    )  # fmt: skip
    seconds = float(arguments['seconds'])
    with closing(Engine(Path(arguments['model']), options)) as engine:
        image, camera = street_images(1, SIZE)[0], camera_of(SIZE)
        perception = Perception(engine)
        network = measure(lambda: engine.infer(image, engine.outputs), seconds)
        yield {'precision': engine.precision, 'warnings': [*engine.warnings,
               *perception.warnings], 'network': network}  # fmt: skip
        stages: dict[str, list[float]] = {}

        def frame() -> None:
            timing = perception.process(image, camera, wanted=WANTED).timing
            for name, value in timing.items():
                stages.setdefault(name, []).append(value)

        whole = measure(frame, seconds / 2)
        yield {'frame': whole, 'stages': {k: float(np.median(v)) for k, v in stages.items()}}
        stream = measure_stream(perception, image, camera, seconds / 2)
    yield passed(
        f'{engine.precision}: network {network["median_ms"]:.1f} ms (p95 '
        f'{network["p95_ms"]:.1f}), frame with cloud {whole["median_ms"]:.1f} ms, '
        f'{stream["frames_per_second"]:.1f} frames/s in a stream',
        stream=stream,
    )


def measure(call: Callable[[], object], seconds: float) -> dict[str, float]:
    """Return median and p95 of a call in milliseconds, and its CPU time; after a warm-up."""
    for _ in range(_WARM_UP):
        call()
    times: list[float] = []
    begin, cpu = time.perf_counter(), _cpu_seconds()
    while len(times) < FRAMES:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
        if time.perf_counter() - begin > seconds and len(times) >= _FEWEST:
            break
    return {
        'frames': len(times), 'median_ms': 1e3 * float(np.median(times)),
        'p95_ms': 1e3 * float(np.percentile(times, 95)), 'min_ms': 1e3 * min(times),
        'cpu_ms': 1e3 * (_cpu_seconds() - cpu) / len(times),
    }  # fmt: skip


def measure_stream(
    perception: Perception, image: Image, camera: CameraModel, seconds: float
) -> dict[str, float]:
    """Return the rate of frames that follow each other without a pause."""
    begin, cpu = time.perf_counter(), _cpu_seconds()

    def frames() -> Iterator[tuple[Image, CameraModel, int]]:
        for index in range(FRAMES):
            if time.perf_counter() - begin > seconds and index >= _FEWEST:
                return
            yield image, camera, index

    count = sum(1 for _ in islice(perception.stream(frames(), wanted=WANTED), FRAMES))
    took = time.perf_counter() - begin
    return {'frames': count, 'frames_per_second': count / took,
            'cpu_ms': 1e3 * (_cpu_seconds() - cpu) / count}  # fmt: skip


def camera_of(size: tuple[int, int]) -> CameraModel:
    """Return a camera for images of (H, W)."""
    height, width = size
    return CameraModel(width, height, 500.0, 500.0, width / 2, height / 2)


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
