"""
Compare two checkouts: equality of all results to the bit, start, frame time and memory.

Runs an old checkout and this one in turn, each in processes of its own with the same interpreter::

    git worktree add /path/to/old COMMIT
    python -m benchmarks.experiments.compare_versions /path/to/old --rounds 5 --json compare.json

Compared to the bit: mask, depth and cloud of the street model on random images and on images of
the demo bag; the graph of the street model, and those that a seeded network is exported to; the
weights after some seeded training steps. The exit status is 1 if any of them differs.

Measured: start of the node to its first result, its memory at rest, and the time of a whole frame
at 640x480 in a running node. The table shows medians and their ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.experiments.common import (
    argument_parser,
    exit_on_error,
    markdown_table,
    write_json,
)
from hydranet_ros.errors import BenchError

NAME = 'compare_versions'
ROOT = Path(__file__).resolve().parent.parent.parent
WORKER = Path(__file__).with_name('version_worker.py')
OLD, NEW = 'old', 'new'
TASKS = ('results', 'graphs', 'weights')
DEMO_BAG = ROOT / 'config' / 'demo_street'
_BAG_TOPIC = '/camera/image/compressed'
_BAG_IMAGES = 4
_LOW_RATE = 5.0
_FRAMES = 10
_SHOWN_DIGITS = 12


@dataclass
class Comparison:
    """
    Results of both versions.

    :param digests: sha256 by name, by version.
    :param samples: measured values by name, by version.
    """

    digests: dict[str, dict[str, str]] = field(default_factory=lambda: {OLD: {}, NEW: {}})
    samples: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    @property
    def different(self) -> list[str]:
        """Return the names of the results that differ, or that only one version has."""
        old, new = self.digests[OLD], self.digests[NEW]
        return [name for name in {**old, **new} if old.get(name) != new.get(name)]

    def add_sample(self, name: str, version: str, value: float) -> None:
        """Add a measured value."""
        self.samples.setdefault(name, {OLD: [], NEW: []})[version].append(value)

    def digest_table(self) -> str:
        """Return the checksums as Markdown."""
        old, new, different = self.digests[OLD], self.digests[NEW], set(self.different)
        rows = [
            (name, old.get(name, '-')[:_SHOWN_DIGITS], new.get(name, '-')[:_SHOWN_DIGITS],
             'DIFFERENT' if name in different else 'equal')
            for name in {**old, **new}
        ]  # fmt: skip
        return markdown_table(('sha256 of', OLD, NEW, ''), rows)

    def sample_table(self) -> str:
        """Return medians and ratios of medians as Markdown."""
        rows = []
        for name, values in self.samples.items():
            old, new = (statistics.median(values[version]) for version in (OLD, NEW))
            rows.append((name, f'{old:.2f}', f'{new:.2f}', f'{new / old:.3f}'))
        return markdown_table(('median of', OLD, NEW, 'new / old'), rows)


def compare_digests(
    checkouts: Mapping[str, Path], found: Comparison, progress: Callable[[str], None]
) -> None:
    """
    Add the checksums of all tasks, both versions in turn.

    :raises BenchError: if a worker fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / 'images'
        images.mkdir()
        save_bag_images(DEMO_BAG, images)
        for task in TASKS:
            for version, checkout in checkouts.items():
                progress(f'{task} of the {version} version')
                work = images if task == 'results' else Path(folder) / f'{task}_{version}'
                work.mkdir(exist_ok=True)
                found.digests[version] |= run_worker(checkout, task, work)


def run_worker(checkout: Path, task: str, folder: Path) -> dict[str, str]:
    """
    Return the checksums of a task, computed by a checkout.

    One thread makes sums of floating-point numbers independent of the scheduling.

    :raises BenchError: if the worker fails, or uses another package than the checkout's.
    """
    environment = {**os.environ, 'PYTHONPATH': str(checkout), 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(
        [sys.executable, str(WORKER), task, str(folder)],
        env=environment, cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise BenchError(f'{task} failed in {checkout}:\n{done.stderr.strip()[-2000:]}')
    response = json.loads(done.stdout)
    if Path(response['package']) != checkout / 'hydranet_ros':
        raise BenchError(f'{task} ran the package in {response["package"]}; expected {checkout}.')
    return response['sha256']


def save_bag_images(bag: Path, folder: Path) -> None:
    """
    Decode some images of a bag once for both versions; write them as NAME.npy.

    :raises BenchError: if the bag has no image.
    """
    import cv2
    from rosbags.rosbag2 import Reader
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.LATEST)
    with Reader(bag) as reader:
        connections = [item for item in reader.connections if item.topic == _BAG_TOPIC]
        data = [item[2] for item in reader.messages(connections)] if connections else []
    if not data:
        raise BenchError(f'{bag} has no images on {_BAG_TOPIC}.')
    for index in range(0, len(data), -(-len(data) // _BAG_IMAGES)):
        message: Any = store.deserialize_cdr(data[index], 'sensor_msgs/msg/CompressedImage')
        bgr = cv2.imdecode(np.asarray(message.data), cv2.IMREAD_COLOR)
        np.save(folder / f'{index:03d}.npy', cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))


def measure_start(
    checkouts: Mapping[str, Path], rounds: int, found: Comparison,
    progress: Callable[[str], None],
) -> None:  # fmt: skip
    """
    Start the nodes in turn; add times and memory.

    :raises BenchError: if a node does not start.
    """
    from benchmarks.suites.startup.node_start import NodeStarter

    with NodeStarter() as starter:
        for number in range(rounds):
            progress(f'start and memory, round {number + 1} of {rounds}')
            for version in _turn(checkouts, number):
                start = starter.first_result(checkout=checkouts[version])
                at_rest = starter.memory_at_rest(checkout=checkouts[version])
                found.add_sample('start to first result, s', version, start.first_result)
                found.add_sample('CPU time of the start, s', version, start.cpu)
                found.add_sample('memory at rest, MB', version, at_rest)
                found.add_sample('memory after 20 frames, MB', version, start.memory)


def measure_frames(
    checkouts: Mapping[str, Path], rounds: int, found: Comparison,
    progress: Callable[[str], None],
) -> None:  # fmt: skip
    """
    Run the nodes in turn on the same camera images; add the times of their frames.

    :raises BenchError: if a node does not start.
    """
    from benchmarks.suites.ros_graph.graph import GraphSetup, start_graph

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        graphs = {
            version: stack.enter_context(
                start_graph(GraphSetup(version, checkout=checkout), folder)
            )
            for version, checkout in checkouts.items()
        }
        for number in range(rounds):
            progress(f'frames, round {number + 1} of {rounds}')
            for version in _turn(checkouts, number):
                samples = graphs[version].measure(_FRAMES / _LOW_RATE, _LOW_RATE, frames=_FRAMES)
                for frame in samples.frames:
                    found.add_sample('frame 640x480, ms', version, frame.total)
                    found.add_sample('network of the frame, ms', version, frame.engine)
                    found.add_sample('frame / network', version, frame.total / frame.engine)
                for latency in samples.latencies['points']:
                    found.add_sample('stamp to received cloud, ms', version, latency)


def _turn(checkouts: Mapping[str, Path], number: int) -> list[str]:
    """Return the order of the versions in a round: each one is first in every other round."""
    return list(checkouts)[:: 1 if number % 2 == 0 else -1]


def checkout(text: str) -> Path:
    """
    Return the root of a checkout, for ``type`` of an argument.

    :raises argparse.ArgumentTypeError: if the package is not there.
    """
    path = Path(text).resolve()
    if not (path / 'hydranet_ros' / '__init__.py').is_file():
        raise argparse.ArgumentTypeError(f'{path} has no package hydranet_ros.')
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both tables; return 1 if a result differs."""
    parser = argument_parser(__doc__, NAME)
    parser.add_argument('old', type=checkout, metavar='OLD_CHECKOUT')
    parser.add_argument('--rounds', type=int, default=5, help='rounds; 0: only compare results')
    given = parser.parse_args(arguments)
    checkouts = {OLD: given.old, NEW: ROOT}
    found = Comparison()
    with exit_on_error(NAME):
        compare_digests(checkouts, found, _print_progress)
        print(found.digest_table(), flush=True)
        if given.rounds:
            measure_start(checkouts, given.rounds, found, _print_progress)
            measure_frames(checkouts, given.rounds, found, _print_progress)
            print(f'\n{found.sample_table()}')
    different = found.different
    print(f'\n{len(different)} of {len(found.digests[NEW])} results differ.')
    write_json({'sha256': found.digests, 'samples': found.samples, 'different': different},
               given.json)  # fmt: skip
    return int(bool(different))


def _print_progress(text: str) -> None:
    print(f'{NAME}: {text}', file=sys.stderr, flush=True)


if __name__ == '__main__':
    sys.exit(main())
