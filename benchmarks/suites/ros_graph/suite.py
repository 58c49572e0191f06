"""
Cameras, nodes and subscribers as real processes over DDS.

Latency from the stamp of an image to a subscriber's callback, throughput, CPU and memory of the
node, and the effect of the package's Fast DDS profile.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness.options import BenchOptions
from benchmarks.harness.results import Chart, Metric, SuiteResult, Table
from hydranet_ros.errors import MissingDependencyError
from hydranet_ros.files import sha256_of

_NOTES = (
    'Latency: from the stamp of the image (for a cloud alone: from before publish()) to the entry '
    'of the callback of a Python subscriber in another process.',
    'profile_to_default: the publisher uses the DDS profile, the subscriber Fast DDS defaults; '
    '_malloc: its allocator has default settings, too.',
    '(age - 10 ms) / cycle: age of a frame at its publication, and time since the previous '
    'publication, at 30 Hz input.',
)


def run(options: BenchOptions, progress: Callable[[str], None]) -> SuiteResult:
    """
    Measure transports, nodes, allocations and image policies.

    :raises MissingDependencyError: without rclpy.
    :raises BenchError: if a process does not start, or a cloud arrives changed.
    """
    try:
        import rclpy  # noqa: F401
    except ImportError as err:
        raise MissingDependencyError(
            "rclpy is not installed; pip install 'hydranet_ros[ros]', or source a ROS 2 "
            'installation.'
        ) from err
    from benchmarks.suites.ros_graph.measurements import CLOUD_RUN, Measurements, plan_for
    from benchmarks.suites.ros_graph.transport import DEFAULT, PROFILE
    from hydranet_ros.model_files.resolve import choose_model

    model = options.model or choose_model('street').path
    metrics: dict[str, Metric] = {}
    tables: list[Table] = []
    with tempfile.TemporaryDirectory(prefix='hydranet_bench_') as folder:
        measurements = Measurements(
            plan_for(options), model, options.threads, Path(folder), progress
        )
        for measure in (measurements.transports, measurements.nodes, measurements.allocations,
                        measurements.image_policies):  # fmt: skip
            found, made = measure()
            metrics |= found
            tables += made
    names = (PROFILE.name, DEFAULT.name)
    return SuiteResult(
        'ros_graph', metrics, tables, (*_NOTES, *measurements.notes),
        {model.name: sha256_of(model)}, measurements.runs,
        Chart('Point cloud between two processes', (CLOUD_RUN,), names, names[:1], names[0]),
    )  # fmt: skip
