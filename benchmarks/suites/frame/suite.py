"""
A whole frame, from the image message that was taken to mask, depth and cloud published, against
the network alone; and each stage by itself.

What runs is what the node runs, :class:`~hydranet_ros.ros.frame.FramePath`, with rclpy's
publishers and a subscriber in another process. *Network alone* is one call of the same engine on
the same pixels: the pruned graph from uint8 pixels to labels and depth at the image's size, so
upsampling and argmax count as network. The network *to stride 4* ends before them, at the heads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.suites.frame_rig import (
    COLOURED,
    NETWORK_OUTPUTS,
    WANTED,
    Rig,
    camera_of,
    open_rig,
)
from benchmarks.suites.material import SIZES, digest, picture, size_name
from benchmarks.suites.plain import cut_at_heads
from benchmarks.suites.result import (
    BenchOptions,
    Figure,
    PartResult,
    Series,
    Table,
    interleaved,
    pair_ratio,
)
from hydranet_ros.errors import BenchError
from hydranet_ros.files import sha256_of

if TYPE_CHECKING:
    from hydranet_ros.inference.engine import Engine

NAME = 'frame'
NETWORK, STRIDE4, FRAME, PICTURES = 'network', 'network to stride 4', 'frame', 'with pictures'
STAGES = ('decode', 'engine', 'labels', 'depth', 'rays', 'cloud', 'color', 'message', 'publish')
_QUICK_ROUNDS = 9
# What is looked for is a twentieth of the network, whose own time on a shared machine differs by a
# third from round to round: more rounds than the other parts take.
_MORE_ROUNDS = 5
_WARM_UP = 4


def run(options: BenchOptions, say: Callable[[str], None]) -> PartResult:
    """
    Measure frames of both sizes.

    :raises MissingDependencyError: without rclpy
    :raises BenchError: if what arrives is not what was computed
    """
    from hydranet_ros.inference.engine import Engine, EngineOptions
    from hydranet_ros.model_files.resolve import choose_model

    model = options.model or choose_model('street').path
    rounds = min(options.rounds, _QUICK_ROUNDS) if options.quick else _MORE_ROUNDS * options.rounds
    figures: dict[str, Figure] = {}
    tables, inputs, runs = [], {model.name: sha256_of(model)}, {}
    engine = Engine(model, EngineOptions(provider='cpu', threads=options.threads))
    try:
        to_stride4, notes = _stride4(engine), _notes(engine)
    except (BenchError, ImportError) as err:
        to_stride4, notes = None, [*_notes(engine), f'{STRIDE4} was not measured: {err}']
    with open_rig(engine) as rig:
        for size in SIZES:
            say(f'{size_name(size)}, {rounds} rounds')
            image = picture(*size)
            inputs[f'picture {size_name(size)}'] = digest(image)
            found = _measure(rig, image, to_stride4, rounds)
            runs[size_name(size)] = found.times
            figures |= {f'{key}_{size_name(size)}': value for key, value in found.figures()}
            tables.append(found.table(size_name(size)))
    engine.close()
    return PartResult(NAME, figures, tables, notes, inputs, runs)


def _notes(engine: Engine) -> list[str]:
    return [
        f'{NETWORK}: {engine.path.name} on {engine.provider}, from uint8 pixels to labels and '
        'depth at full resolution (upsampling and argmax are in it); nothing else of the file '
        'runs.',
        f'{STRIDE4}: the same file cut at the heads, before upsampling and argmax.',
        f'{FRAME}: from a bgr8 Image that was taken to mask, depth and cloud published with '
        f'rclpy to a process that hears them; {PICTURES}: coloured mask, overlay and coloured '
        'depth too.',
    ]


@dataclass
class Measurement:
    """
    One size's times.

    :param stages: milliseconds by competitor and stage, a value a round
    :param rays_once: milliseconds for the rays of a camera that was not seen before
    """

    times: dict[str, Series]
    stages: dict[str, list[dict[str, float]]]
    rays_once: float

    def stage(self, competitor: str, name: str) -> Series:
        """Return a stage's times; 0 where it did not take place."""
        return Series(name, tuple(lap.get(name, 0.0) for lap in self.stages[competitor]))

    @property
    def beside(self) -> Series:
        """Return what frames spent outside the engine."""
        laps = self.stages[FRAME]
        return Series('beside', tuple(lap['total'] - lap['engine'] for lap in laps))

    def figures(self) -> Iterator[tuple[str, Figure]]:
        """Yield the figures of this size, without the size in their names."""
        frame, network = self.times[FRAME], self.times[NETWORK]
        to_stride4 = self.times.get(STRIDE4)
        yield 'ratio', round(pair_ratio(frame, network).median, 4)
        yield (
            'ratio_stride4',
            (None if to_stride4 is None else round(pair_ratio(frame, to_stride4).median, 4)),
        )
        yield 'ratio_with_pictures', round(pair_ratio(self.times[PICTURES], network).median, 4)
        yield 'share_beside', round(self.beside.median / network.median, 4)
        for series in (network, frame, self.beside):
            yield f'{series.name}_ms', round(series.median, 3)
            yield f'{series.name}_p95_ms', round(series.p95, 3)
        for name in STAGES:
            yield f'stage_{name}_ms', round(self.stage(_shown_in(name), name).median, 3)
        yield 'rays_once_ms', round(self.rays_once, 3)

    def table(self, size: str) -> Table:
        """Return the competitors and the stages, in milliseconds."""
        network = self.times[NETWORK]
        rows = [
            _row(name, series, str(pair_ratio(series, network)))
            for name, series in self.times.items()
        ]
        for name in STAGES:
            where = f'  ({PICTURES})' if _shown_in(name) == PICTURES else ''
            rows.append(_row(f'  {name}{where}', self.stage(_shown_in(name), name), ''))
        share = f'{self.beside.median / network.median:.1%} of the network'
        rows.append(_row(f'{FRAME}, outside the engine', self.beside, share))
        rows.append(('rays of a new camera, once', f'{self.rays_once:.1f}', '', ''))
        return Table(f'A frame, {size}', ('', 'median ms', 'p95 ms', 'over network'), rows)


def _shown_in(stage: str) -> str:
    return PICTURES if stage == 'color' else FRAME


def _row(name: str, series: Series, more: str) -> tuple[str, ...]:
    return (name, f'{series.median:.2f}', f'{series.p95:.2f}', more)


def _stride4(engine: Engine) -> Callable[[NDArray], None]:
    """Return a call that runs the network to the heads."""
    from hydranet_ros.inference.providers import open_session

    model, heads = cut_at_heads(engine.path.read_bytes())
    session = open_session(model, engine.path, engine.options).session

    def call(image: NDArray) -> None:
        quarter = tuple(-(-side // 4) for side in image.shape[:2])
        for head in session.run(heads, {'image': image[None]}):
            if quarter not in (head.shape[1:3], head.shape[2:]):
                raise BenchError(f'A head gives {head.shape}; expected H/4 x W/4 = {quarter}.')

    return call


def _measure(
    rig: Rig, image: NDArray[np.uint8], to_stride4: Callable[[NDArray], None] | None, rounds: int
) -> Measurement:
    height, width = image.shape[:2]
    rays_once = rig.look_through(camera_of(height, width))
    message = rig.message(image)
    stages: dict[str, list[dict[str, float]]] = {FRAME: [], PICTURES: []}
    competitors: dict[str, Callable[[], object]] = {
        NETWORK: lambda: rig.path.perception.engine.infer(image, NETWORK_OUTPUTS),
        FRAME: lambda: stages[FRAME].append(rig.frame(message, WANTED)),
        PICTURES: lambda: stages[PICTURES].append(rig.frame(message, COLOURED)),
    }
    if to_stride4 is not None:
        competitors[STRIDE4] = lambda: to_stride4(image)
    times = interleaved(competitors, rounds, _WARM_UP, helpers=(rig.listener.pid,))
    rig.check(message, image)
    return Measurement(times, {name: laps[-rounds:] for name, laps in stages.items()}, rays_once)
