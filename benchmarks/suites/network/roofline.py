"""
Roofline by operator: the time of each graph node, and the machine limit that bounds it.

The times and tensor shapes come from the profile of ONNX Runtime. The floor of a node is the
longer of two times: its operations at the machine's peak, and its bytes at the memory bandwidth.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.results import Table
from benchmarks.suites.network.machine_limits import Bandwidth

_CONVOLUTIONS = ('Conv', 'FusedConv', 'NhwcFusedConv')
_PRODUCTS = ('MatMul', 'FusedMatMul', 'Gemm')
_VIEWS = ('Shape', 'Reshape', 'Squeeze', 'Unsqueeze')
_BLOCK = 16
"""Block width to which ONNX Runtime pads channels (8 or 16)."""


@dataclass(frozen=True)
class Node:
    """
    One profiled node of a graph.

    :param kind: operator; for a convolution with its kernel size.
    :param milliseconds: median of the runs.
    :param macs: multiply-adds of convolutions and matrix products; 0 for other nodes.
    :param moved: bytes of all tensors it reads and writes, each counted once.
    """

    name: str
    kind: str
    milliseconds: float
    macs: int
    moved: int
    output: tuple[int, ...] = ()


@dataclass(frozen=True)
class Roof:
    """Limits of the machine: operations per second, and bandwidth by working set."""

    flops: float
    bandwidth: Bandwidth

    def arithmetic_ms(self, node: Node) -> float:
        """Return the shortest time of the operations, in milliseconds."""
        return 2e3 * node.macs / self.flops

    def memory_ms(self, node: Node) -> float:
        """Return the shortest time of the memory traffic, in milliseconds."""
        return 1e3 * node.moved / self.bandwidth.at(node.moved)

    def floor_ms(self, node: Node) -> float:
        """Return the shortest time that both limits allow, in milliseconds."""
        return max(self.arithmetic_ms(node), self.memory_ms(node))

    def bound_by(self, node: Node) -> str:
        """Return the limit that determines the floor: compute or memory."""
        return 'compute' if self.arithmetic_ms(node) >= self.memory_ms(node) else 'memory'


def count_macs(model: bytes, feed: Mapping[str, np.ndarray]) -> int:
    """
    Return the exact multiply-adds of a graph for this input.

    The graph runs once without the optimizations of ONNX Runtime, which would pad channels.
    """
    return sum(macs for macs, _ in _plain_macs(model, feed))


def profile(
    session: Any, model: bytes, feed: Mapping[str, np.ndarray], runs: int
) -> tuple[Node, ...]:
    """
    Return the profiled nodes of a session, in execution order.

    :param session: session whose options are used; it is not run itself.
    :param model: model file of that session.
    """
    exact = defaultdict(list)
    for macs, key in _plain_macs(model, feed):
        exact[key].append(macs)
    events: dict[int, list[dict]] = defaultdict(list)
    for event in _events(model, feed, session.get_session_options(), runs=runs):
        events[int(event['args']['node_index'])].append(event)
    nodes = []
    for repeated in sorted(events.values(), key=lambda items: items[0]['ts']):
        args = repeated[0]['args']
        macs, key = _macs(args)
        if macs and exact[key]:
            macs = exact[key].pop(0)
        nodes.append(
            Node(
                repeated[0]['name'].removesuffix('_kernel_time').removesuffix('_nchwc'),
                _kind(args),
                float(np.median([item['dur'] for item in repeated])) / 1e3,
                macs,
                _moved(args),
                tuple(_shapes(args['output_type_shape'])[0]),
            )
        )
    return tuple(nodes)


def _plain_macs(model: bytes, feed: Mapping[str, np.ndarray]) -> list[tuple[int, tuple]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    events = sorted(_events(model, feed, options, runs=1), key=lambda item: item['ts'])
    return [found for found in (_macs(event['args']) for event in events) if found[0]]


def _events(model: bytes, feed: Mapping[str, np.ndarray], options: Any, runs: int) -> list[dict]:
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / 'profile')
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(model, options, providers=['CPUExecutionProvider'])
        session.run(None, feed)
        for _ in range(runs):
            session.run(None, feed)
        recorded = json.loads(Path(session.end_profiling()).read_text(encoding='utf-8'))
    kernels = [
        item
        for item in recorded
        if item.get('cat') == 'Node' and item['name'].endswith('_kernel_time')
    ]
    kernels.sort(key=lambda item: item['ts'])
    return kernels[len(kernels) // (runs + 1) :]  # the first run is the warm-up


def _macs(args: Mapping[str, Any]) -> tuple[int, tuple]:
    """Return the multiply-adds of a node, and a key that equal nodes of the graph share."""
    kind = args['op_name']
    if kind not in _CONVOLUTIONS + _PRODUCTS:
        return 0, ()
    inputs, out = _shapes(args['input_type_shape']), _shapes(args['output_type_shape'])[0]
    if kind in _PRODUCTS:
        return math.prod(out) * inputs[0][-1], (kind, *out)
    weight = inputs[1]
    key = (*weight[2:], *out[2:], *(-(-size // _BLOCK) for size in weight[:2]))
    return math.prod(out) * math.prod(weight[1:]), key


def _moved(args: Mapping[str, Any]) -> int:
    if args['op_name'] in _VIEWS:
        return 0
    return sum(int(args[name]) for name in ('activation_size', 'parameter_size', 'output_size'))


def _kind(args: Mapping[str, Any]) -> str:
    if args['op_name'] not in _CONVOLUTIONS:
        return args['op_name']
    outputs, inputs, *kernel = _shapes(args['input_type_shape'])[1]
    depthwise = ' depthwise' if inputs == 1 and outputs > 1 else ''
    return f'Conv {"x".join(map(str, kernel))}{depthwise}'


def _shapes(listed: Sequence[Mapping[str, list[int]]]) -> list[list[int]]:
    return [next(iter(item.values()), []) for item in listed]


def kinds_table(title: str, nodes: Sequence[Node], roof: Roof) -> Table:
    """Return one row per kind of node, slowest first."""
    groups: dict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        groups[node.kind].append(node)
    total = sum(node.milliseconds for node in nodes)
    rows = []
    for kind, items in sorted(
        groups.items(), key=lambda item: -sum(n.milliseconds for n in item[1])
    ):
        rows.append((f'{kind} ({len(items)})', *_cells(items, total, roof)))
    rows.append(('all', *_cells(nodes, total, roof)))
    return Table(title, ('kind (nodes)', *_COLUMNS), rows)


def nodes_table(title: str, nodes: Sequence[Node], roof: Roof, count: int) -> Table:
    """Return one row for each of the slowest nodes."""
    total = sum(node.milliseconds for node in nodes)
    slowest = sorted(nodes, key=lambda node: -node.milliseconds)[:count]
    rows = [
        (f'{node.kind} {"x".join(map(str, node.output[1:]))} {node.name[-34:]}',
         *_cells([node], total, roof))
        for node in slowest
    ]  # fmt: skip
    return Table(title, ('node', *_COLUMNS), rows)


_COLUMNS = ('ms', 'share', 'GMAC', 'GFLOP/s', 'MB', 'GB/s', 'bound by', 'floor ms', 'floor / time')


def _cells(nodes: Sequence[Node], total: float, roof: Roof) -> tuple[str, ...]:
    took = max(sum(node.milliseconds for node in nodes), 1e-6)
    macs, moved = sum(node.macs for node in nodes), sum(node.moved for node in nodes)
    floors = {'compute': 0.0, 'memory': 0.0}
    for node in nodes:
        floors[roof.bound_by(node)] += roof.floor_ms(node)
    floor = sum(floors.values())
    return (
        f'{took:.2f}', f'{took / total:.0%}', f'{macs / 1e9:.3f}' if macs else '-',
        f'{2e-6 * macs / took:.0f}' if macs else '-', f'{moved / 1e6:.1f}',
        f'{moved / took / 1e6:.1f}', max(floors, key=lambda name: floors[name]), f'{floor:.2f}',
        f'{floor / took:.0%}',
    )  # fmt: skip


def fastest(nodes: Sequence[Node], least_ms: float = 0.2) -> float:
    """Return the highest operations per second of any node that takes at least ``least_ms``."""
    return max(
        (2e3 * node.macs / node.milliseconds for node in nodes if node.milliseconds >= least_ms),
        default=0.0,
    )


def roofline_share(nodes: Sequence[Node], roof: Roof) -> float:
    """Return the sum of all floors divided by the sum of all times."""
    return sum(map(roof.floor_ms, nodes)) / sum(node.milliseconds for node in nodes)


def compute_bound_share(nodes: Sequence[Node], roof: Roof) -> float:
    """Return the share of the time spent in compute-bound nodes."""
    bound = sum(node.milliseconds for node in nodes if roof.bound_by(node) == 'compute')
    return bound / sum(node.milliseconds for node in nodes)
