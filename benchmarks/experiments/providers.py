"""
Time of the network on every provider and precision of this machine, alone and in batches.

The candidates run in turn in one process, on the same image::

    python -m benchmarks.experiments.providers [--rounds 20] [--size 640x480] [--batches 1 2 4 8]

Each candidate has passed the model's self-test. ``cpu float32`` is the baseline of the ratios: the
form of the model for ONNX Runtime's CPU provider.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.experiments.common import (
    argument_parser,
    exit_on_error,
    image_size,
    markdown_table,
    write_json,
)
from benchmarks.harness.inputs import make_image
from benchmarks.harness.interleaving import interleaved
from benchmarks.harness.results import Series, pair_ratio
from hydranet_ros.inference.engine import Engine
from hydranet_ros.inference.options import EngineOptions
from hydranet_ros.inference.providers import PROVIDERS
from hydranet_ros.model_files.resolve import find_model

NAME = 'providers'
BASELINE = 'cpu float32'
HEADER = ('candidate', 'images', 'ms, median', 'ms, 95th percentile', 'ms an image',
          'time / baseline')  # fmt: skip


def open_engines(model: str, threads: int) -> dict[str, Engine]:
    """Return a proven engine for every provider and precision that ``auto`` would try."""
    found: dict[str, Engine] = {}
    path = find_model(model)
    for name, provider in PROVIDERS.items():
        if provider.missing():
            continue
        for precision in provider.automatic_precisions(EngineOptions()):
            options = EngineOptions(name, precision, threads)
            found[f'{name} {precision}'] = Engine(path, options)
    return found


def calls(
    engines: Mapping[str, Engine], image: NDArray[np.uint8], batches: Sequence[int]
) -> dict[str, Callable[[], object]]:
    """Return one call for each engine and batch, by ``candidate xN``."""
    found: dict[str, Callable[[], object]] = {}
    for name, engine in engines.items():
        for count in batches:
            images = np.repeat(image[None], count, 0)
            found[f'{name} x{count}'] = partial(engine.infer_batch, images)
    return found


def rows(times: Mapping[str, Series]) -> list[tuple[str, ...]]:
    """Return the rows of the table, with the ratio to the baseline of the same batch."""
    found: list[tuple[str, ...]] = []
    for name, series in times.items():
        candidate, _, count = name.rpartition(' x')
        baseline = times[f'{BASELINE} x{count}']
        found.append(
            (candidate, count, f'{series.median:.1f}', f'{series.p95:.1f}',
             f'{series.median / int(count):.1f}', str(pair_ratio(series, baseline)))
        )  # fmt: skip
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argument_parser(__doc__, NAME)
    parser.add_argument('--model', default='street.onnx', help='model file, a path or a name')
    parser.add_argument('--size', type=image_size, default=(480, 640), help='size of the image')
    parser.add_argument('--batches', type=int, nargs='+', default=[1], help='images at once')
    parser.add_argument('--rounds', type=int, default=20, help='rounds of the interleaved run')
    parser.add_argument('--threads', type=int, default=0, help='CPU threads; 0: one per core')
    given = parser.parse_args(arguments)
    with exit_on_error(NAME):
        engines = open_engines(given.model, given.threads)
        times = interleaved(calls(engines, make_image(*given.size), given.batches), given.rounds)
        table = rows(times)
    print(markdown_table(HEADER, table))
    write_json({'header': HEADER, 'rows': table}, given.json)


if __name__ == '__main__':
    main()
