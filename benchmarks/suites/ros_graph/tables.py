"""Metrics and tables of the graph's measurements."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.harness.results import Metric, Table
from benchmarks.suites.ros_graph.samples import OUTPUTS, Samples
from benchmarks.suites.ros_graph.transport import TransportTimes


def transport_metrics(name: str, times: TransportTimes) -> dict[str, Metric]:
    """Return the metrics of one transport."""
    return {
        f'cloud_latency_ms_{name}': times.latency.median,
        f'cloud_latency_p95_ms_{name}': times.latency.p95,
        f'cloud_publish_ms_{name}': times.publish.median,
        **{f'cloud_loss_percent_{name}_{kind}': 100 * share for kind, share in times.loss.items()},
    }


def transport_table(times: Mapping[str, TransportTimes], title: str) -> Table:
    """Return times and losses of all transports."""
    rows = [
        [name, *map(milliseconds, (item.latency.median, item.latency.p95, item.publish.median)),
         *(f'{100 * share:.0f}' for share in item.loss.values())]
        for name, item in times.items()
    ]  # fmt: skip
    header = ['transport', 'median ms', 'p95 ms', 'publish() ms',
              'loss at 30 Hz, reliable %', 'loss at 30 Hz, best effort %']  # fmt: skip
    return Table(title, header, rows)


def one_node_metrics(
    low: Mapping[str, Samples], overload: Mapping[str, Samples]
) -> dict[str, Metric]:
    """Return the metrics of one node at low rate and under overload, by DDS settings."""
    metrics: dict[str, Metric] = {}
    for name in low:
        end = '' if name == 'profile' else f'_{name}'
        for output in OUTPUTS:
            metrics[f'{output}_latency_ms{end}'] = low[name].latency(output, 50)
            metrics[f'{output}_latency_p95_ms{end}'] = low[name].latency(output, 95)
            metrics[f'overload_{output}_latency_ms{end}'] = overload[name].latency(output, 50)
        metrics |= {
            f'throughput_hz{end}': overload[name].rate,
            f'cpu_ms_per_frame{end}': overload[name].cpu,
            f'overload_age_ms{end}': overload[name].age(50),
            f'overload_age_p95_ms{end}': overload[name].age(95),
            f'overload_cycle_ms{end}': overload[name].cycle,
            f'overload_age_to_cycle_p95{end}': overload[name].age_to_cycle,
            f'overload_newest_age_ms{end}': overload[name].newest_age,
        }
    return metrics


def latency_table(low: Mapping[str, Samples]) -> Table:
    """Return the latencies at low rate."""
    rows = [
        [f'{output} ms', *(
            f'{item.latency(output, 50):.1f} ({item.latency(output, 95):.1f})'
            for item in low.values()
        )] for output in OUTPUTS
    ]  # fmt: skip
    return Table('Latency (5 Hz input), 640x480, median (p95)', ['DDS settings', *low], rows)


def overload_table(overload: Mapping[str, Samples], idle: float) -> Table:
    """Return latency, throughput and CPU use under overload."""
    items = overload.values()
    rows = [
        *([f'{output} latency ms', *(milliseconds(item.latency(output, 50)) for item in items)]
          for output in OUTPUTS),
        ['frames/s', *(f'{item.rate:.1f}' for item in items)],
        ['age at publication ms, median (p95)',
         *(f'{item.age(50):.1f} ({item.age(95):.1f})' for item in items)],
        ['cycle ms', *(milliseconds(item.cycle) for item in items)],
        ['(age - 10 ms) / cycle, p95', *(f'{item.age_to_cycle:.2f}' for item in items)],
        ['age of newest result ms', *(milliseconds(item.newest_age) for item in items)],
        ['CPU ms per frame', *(milliseconds(item.cpu) for item in items)],
        ['idle CPU, % of a core', f'{idle:.2f}', *[''] * (len(overload) - 1)],
    ]  # fmt: skip
    return Table('Latency under overload (30 Hz input), 640x480', ['DDS settings', *overload],
                 rows)  # fmt: skip


def count_metrics(name: str, samples: Samples) -> dict[str, Metric]:
    """Return the metrics of a number of subscribers or cameras."""
    return {
        f'{name}_throughput_hz': samples.rate,
        f'{name}_age_p95_ms': samples.age(95),
        f'{name}_points_latency_ms': samples.latency('points', 50),
        f'{name}_cpu_ms_per_frame': samples.cpu,
    }


def allocation_table(metrics: Mapping[str, Metric], frames: int) -> Table:
    """Return the memory use of a frame."""
    names = {
        'allocated_kb_per_frame': 'peak of Python allocations, KiB (median)',
        'kept_kb_per_frame': 'Python allocations kept, KiB',
        'resident_growth_kb_per_frame': 'growth of resident memory, KiB',
        'page_faults_per_frame': 'minor page faults',
    }
    rows = [
        [text, '-' if metrics[key] is None else f'{metrics[key]:.1f}']
        for key, text in names.items()
    ]
    return Table(f'Memory of a 640x480 frame, {frames} frames', ['', 'per frame'], rows)


def milliseconds(value: float) -> str:
    """Return milliseconds with one decimal."""
    return f'{value:.1f}'
