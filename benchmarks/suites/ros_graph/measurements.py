"""Measurements of the suite; each returns metrics and tables."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.options import BenchOptions
from benchmarks.harness.results import Metric, Series, Table, pair_ratio
from benchmarks.suites.ros_graph.graph import GraphSetup, RosGraph, start_graph
from benchmarks.suites.ros_graph.samples import Samples, joined
from benchmarks.suites.ros_graph.tables import (
    allocation_table,
    count_metrics,
    latency_table,
    milliseconds,
    one_node_metrics,
    overload_table,
    transport_metrics,
    transport_table,
)
from benchmarks.suites.ros_graph.transport import (
    DEFAULT,
    PROFILE,
    TRANSPORTS,
    measure_transports,
)

CAMERA_RATE = 30.0
LOW_RATE = 5.0
CLOUD_RUN = '7.45 MB point cloud, publish() to callback'
_WARM_UP = 0.2

IMAGE_POLICIES: Mapping[str, Mapping[str, object]] = {
    'skip_late': {},
    'any_image': {'skip_late': False},
}

Measured = tuple[dict[str, Metric], Sequence[Table]]


@dataclass(frozen=True)
class Plan:
    """
    Extent of the measurements.

    :param rounds: clouds per transport; ``burst``: clouds of a burst at 30 Hz.
    :param transports: number of transports out of :data:`TRANSPORTS`.
    :param idle: seconds without images; ``seconds`` with images; ``short`` with several cameras
        or subscribers.
    :param most: largest number of cameras, nodes and subscribers.
    :param turns: number of turns of each variant.
    :param against_default: whether to measure the graph with Fast DDS defaults, too.
    :param traced: frames whose allocations are counted.
    :param stops: stops of a working node per image policy; 0 leaves the image policies out.
    """

    rounds: int
    burst: int
    transports: int
    idle: float
    seconds: float
    short: float
    most: int
    turns: int
    against_default: bool
    traced: int
    stops: int


def plan_for(options: BenchOptions) -> Plan:
    """Return the extent for these options: about 20 s in quick mode, otherwise some minutes."""
    if options.quick:
        return Plan(min(3, options.rounds), 5, 2, 0.5, 0.5, 0.2, 2, 1, False, 5, 0)
    return Plan(options.rounds, 40, len(TRANSPORTS), 6.0, 5.0, 3.0, 4, 2, True, 100, 3)


class Measurements:
    """
    Measurements of the suite.

    :param folder: folder of the logs.
    :param progress: receives a line before each measurement.

    ``runs`` holds the series of interleaved messages, ``notes`` the samples that are missing.
    """

    def __init__(
        self, plan: Plan, model: Path, threads: int, folder: Path,
        progress: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._plan, self._model, self._threads = plan, model, threads
        self._folder, self._progress = folder, progress
        self.runs: dict[str, dict[str, Series]] = {}
        self.notes: list[str] = []

    def transports(self) -> Measured:
        """Measure clouds between two processes, over each transport in turn."""
        self._progress('clouds of 465,750 points between two processes')
        plan = self._plan
        times = measure_transports(
            self._folder,
            TRANSPORTS[: plan.transports],
            rounds=plan.rounds,
            burst=plan.burst,
            turns=plan.turns,
        )
        self.runs[CLOUD_RUN] = {name: item.latency for name, item in times.items()}
        metrics: dict[str, Metric] = {}
        for name, item in times.items():
            metrics |= transport_metrics(name, item)
        ratio = pair_ratio(times[DEFAULT.name].latency, times[PROFILE.name].latency)
        metrics['cloud_latency_default_to_profile'] = ratio.median
        return metrics, [transport_table(times, f'{CLOUD_RUN}; default / profile: {ratio}')]

    def nodes(self) -> Measured:
        """Measure one node idle and at work, then several subscribers, then several cameras."""
        plan = self._plan
        self._progress(f'up to {plan.most} cameras, nodes and subscribers')
        with ExitStack() as stack:
            ours = stack.enter_context(self._graph('profile', most=plan.most))
            graphs = {'profile': ours}
            if plan.against_default:
                default = self._graph('default', profile=False)
                graphs['default'] = stack.enter_context(default)
            idle = ours.idle_percent(plan.idle)
            low = self._in_turn(graphs, LOW_RATE)
            overload = self._in_turn(graphs, CAMERA_RATE)
            metrics, tables = self._several(ours)
        metrics['idle_cpu_percent'] = idle
        metrics |= one_node_metrics(low, overload)
        return metrics, [latency_table(low), overload_table(overload, idle), *tables]

    def _graph(
        self,
        name: str,
        options: Mapping[str, object] | None = None,
        *,
        profile: bool = True,
        most: int = 1,
    ) -> AbstractContextManager[RosGraph]:
        setup = GraphSetup(
            name, self._model, self._threads, profile=profile, cameras=most, subscribers=most,
            options=options,
        )  # fmt: skip
        return start_graph(setup, self._folder)

    def _note_shortfall(self, title: str, samples: Samples) -> Samples:
        if samples.shortfall:
            self.notes.append(f'{title}: not enough samples ({samples.shortfall}).')
        return samples

    def _in_turn(self, graphs: Mapping[str, RosGraph], rate: float) -> dict[str, Samples]:
        """Measure the graphs in turn, one at a time."""
        found: dict[str, list[Samples]] = {name: [] for name in graphs}
        for turn in range(self._plan.turns):
            for name in list(graphs)[:: 1 if turn % 2 == 0 else -1]:
                found[name].append(graphs[name].measure(self._plan.seconds, rate))
        return {
            name: self._note_shortfall(f'{name}, {rate:g} Hz', joined(items))
            for name, items in found.items()
        }

    def _several(self, ours: RosGraph) -> Measured:
        """Measure an increasing, then a decreasing number of subscribers and of cameras."""
        metrics: dict[str, Metric] = {}
        tables = []
        for kind in ('subscribers', 'cameras'):
            counts = [*range(1, self._plan.most + 1)]
            found: dict[int, list[Samples]] = {count: [] for count in counts}
            for count in counts if self._plan.turns == 1 else [*counts, *counts[::-1]]:
                found[count].append(ours.measure(self._plan.short, CAMERA_RATE, **{kind: count}))
            rows = []
            for count, items in found.items():
                samples = self._note_shortfall(f'{count} {kind}', joined(items))
                metrics |= count_metrics(f'{kind}_{count}', samples)
                rows.append([
                    str(count), f'{samples.rate:.1f}',
                    *map(milliseconds, (samples.age(50), samples.age(95),
                                        samples.latency('points', 50), samples.cpu)),
                ])  # fmt: skip
            tables.append(Table(f'1 to {self._plan.most} {kind}, 30 Hz input each',
                                [kind, 'frames/s, total', 'age ms', 'age p95 ms',
                                 'cloud latency ms', 'CPU ms per frame'], rows))  # fmt: skip
        return metrics, tables

    def allocations(self) -> Measured:
        """Measure what a frame allocates in Python, and the growth of the process."""
        self._progress('allocations of a frame')
        plan, rate = self._plan, CAMERA_RATE
        with self._graph('traced', {'traced': True}) as graph:
            graph.measure(_WARM_UP, rate)
            node = graph.nodes[0]
            node.pending_events()
            before = node.resident_bytes(), node.page_faults()
            samples = graph.measure(plan.seconds, rate, frames=plan.traced)
            self._note_shortfall('allocations', samples)
            frames = node.pending_events()
            after = node.resident_bytes(), node.page_faults()
        count = len(frames)
        metrics: dict[str, Metric] = {
            'allocated_kb_per_frame':
                statistics.median(f['allocated_kb'] for f in frames) if count else None,
            'kept_kb_per_frame': statistics.fmean(f['kept_kb'] for f in frames) if count else None,
            'resident_growth_kb_per_frame': (after[0] - before[0]) / 1024 / max(1, count),
            'page_faults_per_frame': (after[1] - before[1]) / max(1, count),
        }  # fmt: skip
        return metrics, [allocation_table(metrics, count)]

    def image_policies(self) -> Measured:
        """Compare a node that skips images that waited with one that takes any; stop both."""
        if not self._plan.stops:
            return {}, []
        self._progress('which image a busy node takes')
        with ExitStack() as stack:
            graphs = {
                name: stack.enter_context(self._graph(name, options))
                for name, options in IMAGE_POLICIES.items()
            }
            idle = {name: graph.idle_percent(self._plan.idle) for name, graph in graphs.items()}
            low = self._in_turn(graphs, LOW_RATE)
            overload = self._in_turn(graphs, CAMERA_RATE)
        metrics: dict[str, Metric] = {}
        rows = []
        for name in IMAGE_POLICIES:
            failed, slowest = self._stops(name)
            values = {
                'mask_latency_ms': low[name].latency('mask', 50),
                'idle_cpu_percent': idle[name],
                'throughput_hz': overload[name].rate,
                'age_p95_ms': overload[name].age(95),
                'age_to_cycle_p95': overload[name].age_to_cycle,
                'newest_age_ms': overload[name].newest_age,
                'stop_s': slowest,
                'failed_stops': float(failed),
            }
            metrics |= {f'policy_{name}_{key}': value for key, value in values.items()}
            rows.append([name, *(f'{value:.2f}' for value in values.values())])
        header = ['image policy', 'mask latency ms, 5 Hz', 'idle CPU %', 'frames/s, 30 Hz',
                  'age p95 ms', '(age - 10 ms) / cycle, p95', 'age of newest result ms',
                  'slowest stop s', 'failed stops']  # fmt: skip
        return metrics, [Table('Image policy of a busy node', header, rows)]

    def _stops(self, name: str) -> tuple[int, float]:
        """Return the number of stops with an exit status other than 0, and the slowest stop."""
        found = []
        for index in range(self._plan.stops):
            with self._graph(f'{name}{index}', IMAGE_POLICIES[name]) as graph:
                graph.measure(0.5, CAMERA_RATE)
                found.append(graph.stop_at_work())
        return sum(status != 0 for status, _ in found), max(seconds for _, seconds in found)
