"""Cameras, nodes and listeners as processes over DDS, and what a stretch of time of them shows."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.suites.graph_domain import environment, free_domain
from benchmarks.suites.graph_wire import WORKERS
from benchmarks.suites.processes import Process
from hydranet_ros.errors import BenchError

SIZE = (640, 480)
OUTPUTS = ('mask', 'depth', 'points')
_LEAD = 0.7
_SETTLE = 0.4
# Without a result for so long, no node is at work.
_QUIET = 1.0
_FIRST_FRAME_LIMIT = 60.0
# What a frame may have waited, beside the cycle.
ALLOWANCE_MS = 10.0


@dataclass(frozen=True)
class Frame:
    """
    One published frame, in ms.

    :param age: at publication; ``total`` of it in the node's callback.
    :param cycle: since the publication before this one.
    :param standing: mean age, during that cycle, of the result before this one.
    """

    age: float
    total: float
    cycle: float
    standing: float


@dataclass(frozen=True)
class Stretch:
    """
    What was seen in a stretch of time.

    :param frames: of all nodes, in the order of publication within each.
    :param latencies: image's stamp to the entry of a listener's callback, ms, by output.
    :param sent: images that the cameras published.
    :param cpu: milliseconds of CPU of all nodes for each frame.
    :param seconds: how long.
    """

    frames: Sequence[Frame]
    latencies: Mapping[str, Sequence[float]]
    sent: int
    cpu: float
    seconds: float

    @property
    def rate(self) -> float:
        """Frames a second, all nodes together."""
        return len(self.frames) / self.seconds

    def latency(self, output: str, percent: float) -> float:
        """Return a percentile of an output's latency, ms."""
        return percentile(self.latencies[output], percent)

    def age(self, percent: float) -> float:
        """Return a percentile of the age at publication, ms."""
        return percentile([item.age for item in self.frames], percent)

    @property
    def cycle(self) -> float:
        """Median time from a publication to the next, ms."""
        return percentile([item.cycle for item in self.frames], 50)

    @property
    def newest_age(self) -> float:
        """Age of the newest result there is, ms, on average over time: what a robot acts on."""
        whole = sum(item.cycle for item in self.frames)
        return sum(item.cycle * item.standing for item in self.frames) / whole if whole else np.nan

    @property
    def age_over_cycle(self) -> float:
        """
        95th percentile of (age - 10 ms) / own cycle: at most 1 where nothing is queued.

        A frame that other work on the machine held up has a longer cycle, too.
        """
        return percentile([(item.age - ALLOWANCE_MS) / item.cycle for item in self.frames], 95)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile, NaN of nothing."""
    return float(np.percentile(values, percent)) if len(values) else float('nan')


def joined(stretches: Sequence[Stretch]) -> Stretch:
    """Return several stretches as one."""
    frames = [frame for item in stretches for frame in item.frames]
    seconds = sum(item.seconds for item in stretches)
    return Stretch(
        frames,
        {name: [x for item in stretches for x in item.latencies[name]] for name in OUTPUTS},
        sum(item.sent for item in stretches),
        sum(item.cpu * len(item.frames) for item in stretches) / max(1, len(frames)),
        seconds,
    )


@dataclass(frozen=True)
class Setup:
    """
    What is started.

    :param profile: whether all processes have the package's profile, else Fast DDS' own.
    :param options: for the node as a worker (``executor``, ``traced``); ``None``: the command
        ``hydranet run`` as users start it.
    """

    name: str
    model: Path
    threads: int = 0
    profile: bool = True
    cameras: int = 1
    listeners: int = 1
    options: Mapping[str, Any] | None = None


class Graph:
    """Processes that run: see :func:`graph`."""

    def __init__(
        self, nodes: Sequence[Process], cameras: Sequence[Process], listeners: Sequence[Process]
    ) -> None:
        self.nodes, self._cameras, self._listeners = nodes, cameras, listeners

    def ready(self) -> None:
        """Wait until every node listens to its camera and answers it."""
        for node in self.nodes:
            node.wait_for_log('active:')
        for camera in self._cameras:
            camera.tell('match')
        if not all(camera.fact()['matched'] for camera in self._cameras):
            raise BenchError(f'{self._cameras[0].name}: a node and its camera did not meet.')
        self._listen(1, len(self.nodes))
        until = time.monotonic() + _FIRST_FRAME_LIMIT
        heard: set[tuple[str, str]] = set()
        while len(heard) < len(self.nodes) * len(OUTPUTS):
            self._run(len(self._cameras), 0.3, 10.0)
            heard |= {(f['node'], f['output']) for f in self._listeners[0].facts()
                      if f.get('output') in OUTPUTS}  # fmt: skip
            if time.monotonic() > until:
                raise BenchError(f'Only {sorted(heard)} came in {_FIRST_FRAME_LIMIT:.0f} s.')

    def _listen(self, listeners: int, nodes: int) -> None:
        """Let the first ``listeners`` hear all outputs of the first ``nodes``, others nothing."""
        spaces = [space(index) for index in range(nodes)]
        for index, listener in enumerate(self._listeners):
            if index < listeners:
                listener.tell('hear', 'timing' if index == 0 else '-', *spaces)
            else:
                listener.tell('deaf')
        for listener in self._listeners:
            while 'subscriptions' not in listener.fact():
                pass

    def _run(self, cameras: int, seconds: float, rate: float) -> int:
        used = self._cameras[:cameras]
        for camera in used:
            camera.tell('run', seconds, rate)
        return sum(camera.fact(seconds + 60.0)['sent'] for camera in used)

    def measure(
        self, seconds: float, rate: float, *, cameras: int = 1, listeners: int = 1
    ) -> Stretch:
        """Let the first cameras send at ``rate`` and say what the listeners heard meanwhile."""
        self._listen(listeners, cameras)
        time.sleep(_SETTLE)
        self._run(cameras, _LEAD, rate)
        cpu, begin = self._cpu(), time.monotonic()
        stamp = time.time_ns()
        sent = self._run(cameras, seconds, rate)
        took = time.monotonic() - begin
        time.sleep(_SETTLE)
        facts = [listener.facts() for listener in self._listeners[:listeners]]
        heard = [fact for item in facts for fact in item if fact.get('stamp', 0) >= stamp]
        timings = [fact for fact in facts[0] if fact.get('output') == 'timing']
        latencies = {
            name: [fact['latency_ms'] for fact in heard if fact['output'] == name]
            for name in OUTPUTS
        }
        frames = _frames(timings, begin, begin + took)
        used = 1e3 * (self._cpu() - cpu)
        return Stretch(frames, latencies, sent, used / max(1, len(frames)), took)

    def _cpu(self) -> float:
        return sum(node.cpu_seconds() for node in self.nodes)

    def stop_at_work(self) -> tuple[int, float]:
        """End the first node while it is busy; return its exit status and the seconds it took."""
        self._cameras[0].tell('run', 3.0, 30.0)
        time.sleep(1.0)
        return self.nodes[0].stop()

    def idle_percent(self, seconds: float) -> float:
        """Return the CPU of a node to which no image comes, in percent of a core."""
        self._listen(1, len(self.nodes))
        time.sleep(_SETTLE)
        while self._listeners[0].fact_or_none(_QUIET) is not None:
            pass
        cpu, begin = self._cpu(), time.monotonic()
        time.sleep(seconds)
        used = (self._cpu() - cpu) / (time.monotonic() - begin)
        return 100 * used / len(self.nodes)


def _frames(timings: Sequence[Mapping[str, Any]], begin: float, end: float) -> list[Frame]:
    """Return the frames that were published between two moments; the first has no cycle yet."""
    found = []
    before: dict[str, Mapping[str, Any]] = {}
    for item in timings:
        last = before.get(item['node'])
        before[item['node']] = item
        if last is not None and begin <= item['at'] <= end:
            cycle = 1e3 * (item['at'] - last['at'])
            standing = last['age_ms'] + cycle / 2
            found.append(Frame(item['age_ms'], item['total_ms'], cycle, standing))
    return found


def space(index: int) -> str:
    """Return the namespace of a camera and its node."""
    return f'/camera{index}'


@contextmanager
def graph(setup: Setup, folder: Path) -> Iterator[Graph]:
    """
    Start cameras, nodes and listeners in a domain of their own.

    :param folder: for the logs.
    :raises BenchError: if they do not come up.
    """
    with ExitStack() as stack:
        domain = stack.enter_context(free_domain())
        variables = environment(domain, profile=setup.profile)

        def start(name: str, module: str, *arguments: str) -> Process:
            log = folder / f'{setup.name}_{name}.log'
            return stack.enter_context(
                Process.of_module(module, *arguments, environment=variables, log=log)
            )

        nodes = [start(f'node{i}', *_node(setup, i)) for i in range(setup.cameras)]
        cameras = [
            start(f'camera{i}', WORKERS, 'camera',
                  json.dumps({'size': SIZE, 'namespace': space(i)}))
            for i in range(setup.cameras)
        ]  # fmt: skip
        listeners = [start(f'listener{i}', WORKERS, 'listener') for i in range(setup.listeners)]
        made = Graph(nodes, cameras, listeners)
        made.ready()
        yield made


def _node(setup: Setup, index: int) -> tuple[str, ...]:
    """Return module and arguments of a node."""
    remap = ['--ros-args', '-r', f'__ns:={space(index)}']
    values = {'model': str(setup.model), 'provider': 'cpu', 'threads': setup.threads}
    if setup.options is not None:
        options = {**setup.options, 'parameters': values, 'arguments': remap}
        return WORKERS, 'node', json.dumps(options)
    pairs = [word for name, value in values.items() for word in ('-p', f'{name}:={value}')]
    return 'hydranet_ros', 'run', 'street', *remap, *pairs
