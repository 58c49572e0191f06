"""
The part ``graph``: cameras, nodes and listeners as processes over DDS, all of them real.

What a subscriber sees, from the image's stamp to the entry of its callback; what a node costs; and
what the shipped Fast DDS profile is worth beside Fast DDS' own transports.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.suites.result import BenchOptions, Figure, PartResult, Table
from hydranet_ros.errors import MissingDependencyError
from hydranet_ros.files import sha256_of

NAME = 'graph'
_NOTES = (
    "Latency: from the image's stamp (the cloud by itself: from before publish()) to the entry of "
    'the callback of a Python subscriber in another process.',
    "profile_to_stock: the publisher has our profile, the subscriber Fast DDS' own transports; "
    '_malloc: its allocator is stock too.',
    'Age over cycle: (age at publication - 10 ms) / time since the publication before, of each '
    'frame, cameras at 30 Hz.',
)


def run(options: BenchOptions, say: Callable[[str], None]) -> PartResult:
    """
    Measure the wire, one node, several nodes and listeners, what a frame allocates, choices.

    :raises MissingDependencyError: without rclpy.
    :raises BenchError: if a process does not come up, or a cloud arrives changed.
    """
    try:
        import rclpy  # noqa: F401
    except ImportError as err:
        raise MissingDependencyError(
            "The part graph needs ROS 2: source it, or pip install 'hydranet_ros[ros]'."
        ) from err
    from benchmarks.suites.graph_steps import Bench, plan_of
    from hydranet_ros.model_files.resolve import choose_model

    model = options.model or choose_model('street').path
    figures: dict[str, Figure] = {}
    tables: list[Table] = []
    with tempfile.TemporaryDirectory(prefix='hydranet_bench_') as folder:
        bench = Bench(plan_of(options), model, options.threads, Path(folder), say)
        for step in (bench.wire, bench.nodes, bench.allocations, bench.choices):
            found, table = step()
            figures.update(found)
            tables += table
    return PartResult(
        NAME, figures, tables, _NOTES, inputs={model.name: sha256_of(model)}, runs=bench.runs
    )  # fmt: skip
