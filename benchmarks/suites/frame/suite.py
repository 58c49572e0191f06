"""
Time of a whole frame in the node, beside the network alone, and the time of each stage.

A frame runs :class:`~hydranet_ros.ros.frame.FramePath`, as the node does, with publishers of rclpy
and a subscriber in another process. *Network only* is one call of the same engine with the same
pixels: from uint8 pixels to labels and depth at the size of the image, so upsampling and argmax
are included. *Network up to the heads* ends before both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpy.typing import NDArray

from benchmarks.harness.inputs import SIZES, digest, make_image, size_name
from benchmarks.harness.interleaving import interleaved
from benchmarks.harness.options import BenchOptions
from benchmarks.harness.results import Chart, Metric, Series, SuiteResult, Table, pair_ratio
from benchmarks.models.plain_export import cut_at_heads
from benchmarks.suites.frame.fixture import (
    ALL_OUTPUTS,
    NETWORK_OUTPUTS,
    OUTPUTS,
    FrameFixture,
    make_camera,
    open_fixture,
)
from hydranet_ros.errors import BenchError
from hydranet_ros.files import sha256_of

if TYPE_CHECKING:
    import numpy as np

    from hydranet_ros.inference.engine import Engine

NETWORK, HEADS = 'network only', 'network up to the heads'
FRAME, COLORS = 'whole frame', 'whole frame with color images'
STAGES = ('decode', 'engine', 'labels', 'depth', 'rays', 'cloud', 'color', 'message', 'publish')
_QUICK_ROUNDS = 9
# The overhead is a twentieth of the network's time, which varies by a third on a shared machine:
# this suite needs more rounds than the others.
_ROUNDS_FACTOR = 5
_WARM_UP = 4


def run(options: BenchOptions, progress: Callable[[str], None]) -> SuiteResult:
    """
    Measure frames of both sizes.

    :raises MissingDependencyError: without rclpy.
    :raises BenchError: if the subscriber receives another result than the expected one.
    """
    from hydranet_ros.inference.engine import Engine, EngineOptions
    from hydranet_ros.model_files.resolve import choose_model

    model = options.model or choose_model('street').path
    rounds = _rounds(options)
    metrics: dict[str, Metric] = {}
    tables, inputs, runs = [], {model.name: sha256_of(model)}, {}
    engine = Engine(model, EngineOptions(provider='cpu', threads=options.threads))
    notes = _notes(engine)
    try:
        heads = _heads(engine)
    except (BenchError, ImportError) as err:
        heads = None
        notes.append(f'{HEADS} was not measured: {err}')
    with open_fixture(engine) as fixture:
        for size in SIZES:
            title = size_name(size)
            progress(f'{title}, {rounds} rounds')
            image = make_image(*size)
            inputs[f'image_{title}'] = digest(image)
            found = _measure(fixture, image, heads, rounds)
            runs[title] = found.times
            metrics |= {f'{key}_{title}': value for key, value in found.metrics()}
            tables.append(found.table(title))
    engine.close()
    chart = Chart(
        'Whole frame in the ROS 2 node', list(runs), (NETWORK, FRAME, COLORS), (FRAME, COLORS),
        NETWORK,
    )  # fmt: skip
    return SuiteResult('frame', metrics, tables, notes, inputs, runs, chart)


def _rounds(options: BenchOptions) -> int:
    if options.quick:
        return min(options.rounds, _QUICK_ROUNDS)
    return _ROUNDS_FACTOR * options.rounds


def _notes(engine: Engine) -> list[str]:
    return [
        f'{NETWORK}: {engine.file.name} on {engine.provider}, from uint8 pixels to labels and '
        'depth at full size, including upsampling and argmax.',
        f'{HEADS}: the same file without upsampling and argmax.',
        f'{FRAME}: from a received bgr8 Image to mask, depth and cloud, published with rclpy to '
        f'another process. {COLORS}: colored mask, overlay and colored depth, too.',
    ]


@dataclass
class Measurement:
    """
    Times of one image size.

    :param stages: milliseconds of each stage, by variant, one mapping a round.
    :param new_camera_rays: milliseconds to compute the rays of a new camera.
    """

    times: dict[str, Series]
    stages: dict[str, list[dict[str, float]]]
    new_camera_rays: float

    def stage(self, name: str) -> Series:
        """Return the times of a stage; 0 where it did not run."""
        laps = self.stages[_variant_with(name)]
        return Series(name, tuple(lap.get(name, 0.0) for lap in laps))

    @property
    def overhead(self) -> Series:
        """Return the time that frames spent outside the engine."""
        laps = self.stages[FRAME]
        return Series('overhead', tuple(lap['total'] - lap['engine'] for lap in laps))

    def metrics(self) -> Iterator[tuple[str, Metric]]:
        """Yield the metrics of this size, without the size in their names."""
        frame, network = self.times[FRAME], self.times[NETWORK]
        heads = self.times.get(HEADS)
        yield 'frame_to_network', round(pair_ratio(frame, network).median, 4)
        yield (
            'frame_to_network_heads',
            (None if heads is None else round(pair_ratio(frame, heads).median, 4)),
        )
        colors = pair_ratio(self.times[COLORS], network)
        yield 'frame_with_colors_to_network', round(colors.median, 4)
        yield 'overhead_share', round(self.overhead.median / network.median, 4)
        for name, series in (('network', network), ('frame', frame), ('overhead', self.overhead)):
            yield f'{name}_ms', round(series.median, 3)
            yield f'{name}_p95_ms', round(series.p95, 3)
        for name in STAGES:
            yield f'stage_{name}_ms', round(self.stage(name).median, 3)
        yield 'new_camera_rays_ms', round(self.new_camera_rays, 3)

    def table(self, size: str) -> Table:
        """Return variants and stages in milliseconds."""
        network = self.times[NETWORK]
        rows = [
            _row(name, series, str(pair_ratio(series, network)))
            for name, series in self.times.items()
        ]
        for name in STAGES:
            variant = f'  ({COLORS})' if _variant_with(name) == COLORS else ''
            rows.append(_row(f'  {name}{variant}', self.stage(name), ''))
        share = f'{self.overhead.median / network.median:.1%} of the network'
        rows.append(_row(f'{FRAME}, outside the engine', self.overhead, share))
        rows.append(('rays of a new camera', f'{self.new_camera_rays:.1f}', '', ''))
        return Table(f'Frame, {size}', ('', 'median ms', 'p95 ms', 'time / network'), rows)


def _variant_with(stage: str) -> str:
    """Return the variant whose stage is shown: only one of them draws color images."""
    return COLORS if stage == 'color' else FRAME


def _row(name: str, series: Series, ratio: str) -> tuple[str, ...]:
    return (name, f'{series.median:.2f}', f'{series.p95:.2f}', ratio)


def _heads(engine: Engine) -> Callable[[NDArray], None]:
    """Return a run of the network up to its heads."""
    from benchmarks.suites.network.runtimes import engine_session

    model, heads = cut_at_heads(engine.file.read_bytes())
    session = engine_session(model, engine.options.threads)

    def call(image: NDArray) -> None:
        quarter = tuple(-(-side // 4) for side in image.shape[:2])
        for head in session.run(heads, {'image': image[None]}):
            if quarter not in (head.shape[1:3], head.shape[2:]):
                raise BenchError(f'A head has shape {head.shape}; expected H/4 x W/4 = {quarter}.')

    return call


def _measure(
    fixture: FrameFixture, image: NDArray[np.uint8], heads: Callable[[NDArray], None] | None,
    rounds: int,
) -> Measurement:  # fmt: skip
    height, width = image.shape[:2]
    new_camera_rays = fixture.set_camera(make_camera(height, width))
    message = fixture.message(image)
    stages: dict[str, list[dict[str, float]]] = {FRAME: [], COLORS: []}
    variants: dict[str, Callable[[], object]] = {
        NETWORK: lambda: fixture.path.perception.engine.infer(image, NETWORK_OUTPUTS),
        FRAME: lambda: stages[FRAME].append(fixture.run(message, OUTPUTS)),
        COLORS: lambda: stages[COLORS].append(fixture.run(message, ALL_OUTPUTS)),
    }
    if heads is not None:
        variants[HEADS] = lambda: heads(image)
    times = interleaved(variants, rounds, _WARM_UP, helpers=(fixture.subscriber.pid,))
    fixture.check(message, image)
    laps = {name: values[-rounds:] for name, values in stages.items()}
    return Measurement(times, laps, new_camera_rays)
