"""The steps of the part ``graph``: each measures, and gives figures and tables."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.suites.graph_nodes import OUTPUTS, Graph, Setup, Stretch, graph, joined
from benchmarks.suites.graph_wire import COMPETITORS, DEFAULT, PROFILE, measure_wire
from benchmarks.suites.result import BenchOptions, Figure, Series, Table, pair_ratio

CAMERA_RATE = 30.0
UNHURRIED_RATE = 5.0
_WARM_FRAMES = 5

CHOICES: Mapping[str, Mapping[str, object]] = {
    'shipped': {},
    'any_image': {'patient': False},
}

Found = tuple[dict[str, Figure], Sequence[Table]]


@dataclass(frozen=True)
class Plan:
    """
    How much is measured.

    :param rounds: clouds of each competitor; ``stream`` clouds of a burst at 30 Hz.
    :param competitors: how many of :data:`COMPETITORS`.
    :param idle: seconds without images, ``stretch`` seconds with, ``short`` with several.
    :param most: cameras, nodes and listeners at most.
    :param turns: how often competitors take turns.
    :param against_default: the whole graph also with Fast DDS' own transports.
    :param traced: frames whose allocations are counted.
    :param stops: how often a working node of each choice is told to end; 0 leaves it out.
    """

    rounds: int
    stream: int
    competitors: int
    idle: float
    stretch: float
    short: float
    most: int
    turns: int
    against_default: bool
    traced: int
    stops: int


def plan_of(options: BenchOptions) -> Plan:
    """Return how much is measured: quick takes about 20 s, else some minutes."""
    if options.quick:
        return Plan(min(5, options.rounds), 10, 2, 1.0, 1.5, 1.0, 2, 1, False, 8, 0)
    return Plan(options.rounds, 40, len(COMPETITORS), 6.0, 5.0, 3.0, 4, 2, True, 100, 3)


class Bench:
    """
    The steps.

    :param folder: for the logs of the processes.
    :param say: is told what is measured now.
    :param runs: (attribute) every sample of what took turns message by message.
    """

    def __init__(
        self, plan: Plan, model: Path, threads: int, folder: Path, say: Callable[[str], None]
    ) -> None:
        self._plan, self._model, self._threads = plan, model, threads
        self._folder, self._say = folder, say
        self.runs: dict[str, dict[str, Series]] = {}

    def wire(self) -> Found:
        """Clouds from hand to hand, in turn over each transport."""
        self._say('graph: clouds of 465,750 points from hand to hand')
        plan = self._plan
        times = measure_wire(
            self._folder, COMPETITORS[: plan.competitors], rounds=plan.rounds, stream=plan.stream
        )
        self.runs['cloud of 7.45 MB, publish() to callback'] = {
            name: item.latency for name, item in times.items()
        }
        figures: dict[str, Figure] = {}
        rows = []
        for name, item in times.items():
            figures[f'cloud_latency_ms_{name}'] = item.latency.median
            figures[f'cloud_latency_p95_ms_{name}'] = item.latency.p95
            figures[f'cloud_publish_ms_{name}'] = item.publish.median
            for kind, share in item.lost.items():
                figures[f'cloud_lost_percent_{name}_{kind}'] = 100 * share
            times_ms = (item.latency.median, item.latency.p95, item.publish.median)
            rows.append([name, *map(_ms, times_ms),
                         *(f'{100 * share:.0f} %' for share in item.lost.values())])  # fmt: skip
        ratio = pair_ratio(times[DEFAULT.name].latency, times[PROFILE.name].latency)
        figures['cloud_latency_ratio'] = ratio.median
        header = ['transports', 'median ms', 'p95 ms', 'publish() ms',
                  *(f'lost at 30 Hz, {kind}' for kind in ('reliable', 'best effort'))]  # fmt: skip
        return figures, [Table(f'7.45 MB from process to process; default/profile = {ratio}',
                               header, rows)]  # fmt: skip

    def nodes(self) -> Found:
        """One node, at rest and at work; then several listeners, then several cameras."""
        plan = self._plan
        self._say(f'graph: up to {plan.most} cameras, nodes and listeners')
        with ExitStack() as stack:
            ours = stack.enter_context(self._graph('profile', most=plan.most))
            graphs = {'profile': ours}
            if plan.against_default:
                stock = self._graph('default', profile=False)
                graphs['default'] = stack.enter_context(stock)
            idle = ours.idle_percent(plan.idle)
            slow = self._in_turn(graphs, UNHURRIED_RATE)
            fast = self._in_turn(graphs, CAMERA_RATE)
            figures, tables = self._several(ours)
        figures['idle_cpu_percent'] = idle
        figures |= _one_node_figures(slow, fast)
        return figures, [_one_node_table(slow, fast, idle), *tables]

    def _graph(
        self,
        name: str,
        options: Mapping[str, object] | None = None,
        *,
        profile: bool = True,
        most: int = 1,
    ) -> AbstractContextManager[Graph]:
        setup = Setup(
            name, self._model, self._threads, profile=profile, cameras=most, listeners=most,
            options=options,
        )  # fmt: skip
        return graph(setup, self._folder)

    def _in_turn(self, graphs: Mapping[str, Graph], rate: float) -> dict[str, Stretch]:
        """Let the graphs work in turn, each one alone."""
        found: dict[str, list[Stretch]] = {name: [] for name in graphs}
        for turn in range(self._plan.turns):
            for name in list(graphs)[:: 1 if turn % 2 == 0 else -1]:
                found[name].append(graphs[name].measure(self._plan.stretch, rate))
        return {name: joined(items) for name, items in found.items()}

    def _several(self, ours: Graph) -> Found:
        """Go up and down with the number of listeners, then with the number of cameras."""
        figures: dict[str, Figure] = {}
        tables = []
        for what in ('listeners', 'cameras'):
            counts = [*range(1, self._plan.most + 1)]
            found: dict[int, list[Stretch]] = {count: [] for count in counts}
            for count in counts if self._plan.turns == 1 else [*counts, *counts[::-1]]:
                found[count].append(ours.measure(self._plan.short, CAMERA_RATE, **{what: count}))
            rows = []
            for count, items in found.items():
                stretch = joined(items)
                figures |= _count_figures(f'{what}_{count}', stretch)
                rows.append([str(count), f'{stretch.rate:.1f}', _ms(stretch.age(50)),
                             _ms(stretch.age(95)), _ms(stretch.latency('points', 50)),
                             _ms(stretch.cpu)])  # fmt: skip
            tables.append(Table(f'1 to {self._plan.most} {what}, 30 Hz each',
                                [what, 'frames/s, all', 'age ms', 'age p95 ms', 'cloud heard ms',
                                 'CPU ms a frame'], rows))  # fmt: skip
        return figures, tables

    def allocations(self) -> Found:
        """What a frame allocates in Python, and what the process takes from the kernel."""
        self._say('graph: what a frame allocates')
        with self._graph('traced', {'traced': True}) as made:
            rate = CAMERA_RATE
            made.measure(_WARM_FRAMES / rate, rate)
            node = made.nodes[0]
            node.facts()
            before = node.resident_bytes(), node.page_faults()
            frames: list[Mapping[str, float]] = []
            while len(frames) < self._plan.traced:
                made.measure(self._plan.stretch, rate)
                frames += node.facts()
            after = node.resident_bytes(), node.page_faults()
        figures: dict[str, Figure] = {
            'allocated_kb_per_frame': statistics.median(f['allocated_kb'] for f in frames),
            'kept_kb_per_frame': statistics.fmean(f['kept_kb'] for f in frames),
            'resident_growth_kb_per_frame': (after[0] - before[0]) / 1024 / len(frames),
            'page_faults_per_frame': (after[1] - before[1]) / len(frames),
        }
        rows = [
            ['allocated by Python at most at a time, KiB (median)', 'allocated_kb_per_frame'],
            ['of that still there at the end, KiB', 'kept_kb_per_frame'],
            ['growth of the process, KiB', 'resident_growth_kb_per_frame'],
            ['pages got from the kernel', 'page_faults_per_frame'],
        ]
        return figures, [Table(f'a frame of 640x480 in the steady state, {len(frames)} frames',
                               ['what', 'a frame'],
                               [[text, f'{figures[key]:.1f}'] for text, key in rows])]  # fmt: skip

    def choices(self) -> Found:
        """What was chosen by measurement: which image a busy node takes; and how it ends."""
        if not self._plan.stops:
            return {}, []
        self._say('graph: which image a busy node takes')
        with ExitStack() as stack:
            graphs = {
                name: stack.enter_context(self._graph(name, options))
                for name, options in CHOICES.items()
            }
            idle = {name: made.idle_percent(self._plan.idle) for name, made in graphs.items()}
            slow = self._in_turn(graphs, UNHURRIED_RATE)
            fast = self._in_turn(graphs, CAMERA_RATE)
        ends = {name: self._ends(name) for name in CHOICES}
        figures: dict[str, Figure] = {}
        rows = []
        for name in CHOICES:
            bad, slowest = ends[name]
            values = {
                'mask_latency_ms': slow[name].latency('mask', 50),
                'idle_cpu_percent': idle[name],
                'throughput_hz': fast[name].rate,
                'age_p95_ms': fast[name].age(95),
                'age_over_cycle_p95': fast[name].age_over_cycle,
                'newest_age_ms': fast[name].newest_age,
                'stop_s': slowest,
                'bad_stops': float(bad),
            }
            figures |= {f'choice_{name}_{key}': value for key, value in values.items()}
            rows.append([name, *(f'{value:.2f}' for value in values.values())])
        header = ['node', 'mask heard ms, 5 Hz', 'CPU at rest %', 'frames/s, 30 Hz', 'age p95 ms',
                  '(age - 10 ms) / cycle, p95', 'age of the newest ms', 'slowest end s',
                  'bad ends']  # fmt: skip
        return figures, [Table('an image that waited is passed over, or any is taken',
                               header, rows)]  # fmt: skip

    def _ends(self, name: str) -> tuple[int, float]:
        """Return how many of several nodes at work did not end well at SIGINT; the slowest, s."""
        found = []
        for index in range(self._plan.stops):
            with self._graph(f'{name}{index}', CHOICES[name]) as made:
                made.measure(0.5, CAMERA_RATE)
                found.append(made.stop_at_work())
        return sum(status != 0 for status, _ in found), max(took for _, took in found)


def _one_node_figures(
    slow: Mapping[str, Stretch], fast: Mapping[str, Stretch]
) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    for name in slow:
        end = '' if name == 'profile' else f'_{name}'
        for output in OUTPUTS:
            figures[f'{output}_latency_ms{end}'] = slow[name].latency(output, 50)
            figures[f'{output}_latency_p95_ms{end}'] = slow[name].latency(output, 95)
            figures[f'overload_{output}_latency_ms{end}'] = fast[name].latency(output, 50)
        figures |= {
            f'throughput_hz{end}': fast[name].rate,
            f'cpu_ms_per_frame{end}': fast[name].cpu,
            f'overload_age_ms{end}': fast[name].age(50),
            f'overload_age_p95_ms{end}': fast[name].age(95),
            f'overload_cycle_ms{end}': fast[name].cycle,
            f'overload_age_over_cycle_p95{end}': fast[name].age_over_cycle,
            f'overload_newest_age_ms{end}': fast[name].newest_age,
        }
    return figures


def _one_node_table(
    slow: Mapping[str, Stretch], fast: Mapping[str, Stretch], idle: float
) -> Table:
    rows = [
        *([f'{output} heard, 5 Hz: median ms (p95)', *(
            f'{item.latency(output, 50):.1f} ({item.latency(output, 95):.1f})'
            for item in slow.values()
        )] for output in OUTPUTS),
        ['frames a second, 30 Hz', *(f'{item.rate:.1f}' for item in fast.values())],
        ['age at publication: median ms (p95)',
         *(f'{item.age(50):.1f} ({item.age(95):.1f})' for item in fast.values())],
        ['cycle ms', *(_ms(item.cycle) for item in fast.values())],
        ['(age - 10 ms) / cycle, p95', *(f'{item.age_over_cycle:.2f}' for item in fast.values())],
        ['age of the newest result ms', *(_ms(item.newest_age) for item in fast.values())],
        ['CPU ms a frame', *(_ms(item.cpu) for item in fast.values())],
        ['CPU without images, % of a core', f'{idle:.2f}', *[''] * (len(fast) - 1)],
    ]  # fmt: skip
    return Table('one node, 640x480, camera and listener in processes of their own',
                 ['transports', *fast], rows)  # fmt: skip


def _count_figures(name: str, stretch: Stretch) -> dict[str, Figure]:
    return {
        f'{name}_throughput_hz': stretch.rate,
        f'{name}_age_p95_ms': stretch.age(95),
        f'{name}_points_latency_ms': stretch.latency('points', 50),
        f'{name}_cpu_ms_per_frame': stretch.cpu,
    }


def _ms(value: float) -> str:
    return f'{value:.1f}'
