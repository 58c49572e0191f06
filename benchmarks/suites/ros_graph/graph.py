"""Cameras, nodes and subscribers as processes over DDS, and measurements of them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.processes import TIMEOUT, Process
from benchmarks.suites.ros_graph.environment import environment, free_domain
from benchmarks.suites.ros_graph.received import Received, namespace
from benchmarks.suites.ros_graph.samples import OUTPUTS, Samples
from benchmarks.suites.ros_graph.transport import WORKERS
from hydranet_ros.errors import BenchError

SIZE = (640, 480)
MIN_FRAMES = 3
_WARM_UP = 0.7
_SETTLE = 0.4
_POLL = 0.02
# A node that publishes nothing for this time is idle.
_QUIET_TIME = 1.0
_FIRST_FRAME_RATE = 10.0
_STOP_RATE = 30.0


@dataclass(frozen=True)
class GraphSetup:
    """
    Processes to start.

    :param profile: whether all processes use the package's DDS profile, or Fast DDS defaults.
    :param model: model file; ``None`` for that of the preset.
    :param options: options of the node as a worker (``executor``, ``traced``, ``skip_late``);
        ``None`` for the command ``hydranet run``.
    :param checkout: checkout whose command is run; ``None`` for the installed package.
    """

    name: str
    model: Path | None = None
    threads: int = 0
    profile: bool = True
    cameras: int = 1
    subscribers: int = 1
    options: Mapping[str, Any] | None = None
    checkout: Path | None = None


class RosGraph:
    """Running processes; see :func:`start_graph`."""

    def __init__(
        self, nodes: Sequence[Process], cameras: Sequence[Process], subscribers: Sequence[Process]
    ) -> None:
        self.nodes, self._cameras, self._subscribers = nodes, cameras, subscribers

    def wait_until_ready(self) -> None:
        """
        Wait until every node has processed a frame of its camera.

        :raises BenchError: if a node is not connected or publishes nothing.
        """
        for node in self.nodes:
            node.wait_for_log('active:', failure='did not start')
        for camera in self._cameras:
            camera.send('match')
        if not all(camera.next_event()['matched'] for camera in self._cameras):
            raise BenchError(f'{self._cameras[0].name}: a node did not connect to its camera.')
        self._subscribe(1, len(self.nodes))
        self._start_cameras(len(self._cameras), _FIRST_FRAME_RATE)
        until = time.monotonic() + TIMEOUT
        received: set[tuple[str, str]] = set()
        while len(received) < len(self.nodes) * len(OUTPUTS):
            if time.monotonic() > until:
                raise BenchError(
                    f'After {TIMEOUT:.0f} s only {sorted(received)} were received. '
                    f'Logs: {self.nodes[0].log.parent}'
                )
            for process in (*self.nodes, *self._subscribers):
                process.check_running()
            received |= {(event['node'], event['output'])
                         for event in self._subscribers[0].pending_events()
                         if event.get('output') in OUTPUTS}  # fmt: skip
            time.sleep(_POLL)
        self._stop_cameras(len(self._cameras))

    def _subscribe(self, subscribers: int, nodes: int) -> None:
        """Let the first ``subscribers`` subscribe to the first ``nodes``, the others to none."""
        namespaces = [namespace(index) for index in range(nodes)]
        for index, subscriber in enumerate(self._subscribers):
            if index < subscribers:
                subscriber.send('subscribe', 'timing' if index == 0 else '-', *namespaces)
            else:
                subscriber.send('unsubscribe')
        for subscriber in self._subscribers:
            while 'subscriptions' not in subscriber.next_event():
                pass

    def _start_cameras(self, count: int, rate: float) -> None:
        for camera in self._cameras[:count]:
            camera.send('start', rate)

    def _stop_cameras(self, count: int) -> int:
        """Stop the first cameras; return the number of images they sent."""
        for camera in self._cameras[:count]:
            camera.send('stop')
        return sum(camera.next_event()['sent'] for camera in self._cameras[:count])

    def measure(
        self, seconds: float, rate: float, *, cameras: int = 1, subscribers: int = 1,
        frames: int = MIN_FRAMES, timeout: float = TIMEOUT,
    ) -> Samples:  # fmt: skip
        """
        Run the first cameras at ``rate`` and return what the first subscribers received.

        :param seconds: shortest length of the measurement; it is longer until there are
            ``frames`` frames of each node, and as many messages of each output from it.
        :param timeout: longest length; samples that are then missing are named in
            :attr:`Samples.shortfall`.
        """
        self._subscribe(subscribers, cameras)
        time.sleep(_SETTLE)
        self._start_cameras(cameras, rate)
        received = self._receive(subscribers, cameras)
        received.wait(min(_WARM_UP, seconds), frames=1, timeout=timeout)
        cpu, begin = self._cpu(), time.monotonic()
        received.restart(time.time_ns(), begin)
        received.wait(seconds, frames, timeout)
        took = time.monotonic() - begin
        used = 1e3 * (self._cpu() - cpu)
        sent = self._stop_cameras(cameras)
        time.sleep(_SETTLE)
        received.update()
        published = received.frames(begin + took)
        return Samples(
            published, received.latencies(), sent, used / max(1, len(published)), took,
            received.shortfall(frames),
        )  # fmt: skip

    def _receive(self, subscribers: int, nodes: int) -> Received:
        return Received(self._subscribers[:subscribers], self.nodes[:nodes])

    def _cpu(self) -> float:
        return sum(node.cpu_seconds() for node in self.nodes)

    def stop_at_work(self) -> tuple[int, float]:
        """Stop the first node while it processes frames; return exit status and seconds."""
        self._subscribe(1, 1)
        self._start_cameras(1, _STOP_RATE)
        self._receive(1, 1).wait(0.0, frames=1, timeout=TIMEOUT)
        found = self.nodes[0].stop()
        self._stop_cameras(1)
        return found

    def idle_percent(self, seconds: float) -> float:
        """Return the CPU use of a node without images, in percent of a core."""
        self._subscribe(1, len(self.nodes))
        time.sleep(_SETTLE)
        while self._subscribers[0].poll_event(_QUIET_TIME) is not None:
            pass
        cpu, begin = self._cpu(), time.monotonic()
        time.sleep(seconds)
        used = (self._cpu() - cpu) / (time.monotonic() - begin)
        return 100 * used / len(self.nodes)


@contextmanager
def start_graph(setup: GraphSetup, folder: Path) -> Iterator[RosGraph]:
    """
    Start cameras, nodes and subscribers in a free ROS domain; wait until they are ready.

    :param folder: folder of the logs.
    :raises BenchError: if a process does not start.
    """
    with ExitStack() as stack:
        domain = stack.enter_context(free_domain())
        variables = environment(domain, profile=setup.profile)

        def start(
            name: str, module: str, *arguments: str, checkout: Path | None = None
        ) -> Process:
            log = folder / f'{setup.name}_{name}.log'
            found = variables | {'PYTHONPATH': str(checkout)} if checkout else variables
            return stack.enter_context(Process.of_module(
                module, *arguments, environment=found, log=log, folder=checkout
            ))  # fmt: skip

        nodes = [
            start(f'node{i}', *_node_command(setup, i), checkout=setup.checkout)
            for i in range(setup.cameras)
        ]
        cameras = [
            start(f'camera{i}', WORKERS, 'camera',
                  json.dumps({'size': SIZE, 'namespace': namespace(i)}))
            for i in range(setup.cameras)
        ]  # fmt: skip
        subscribers = [
            start(f'subscriber{i}', WORKERS, 'subscriber') for i in range(setup.subscribers)
        ]
        graph = RosGraph(nodes, cameras, subscribers)
        graph.wait_until_ready()
        yield graph


def _node_command(setup: GraphSetup, index: int) -> tuple[str, ...]:
    """Return the module and the arguments of a node."""
    remap = ['--ros-args', '-r', f'__ns:={namespace(index)}']
    values: dict[str, Any] = {'provider': 'cpu', 'threads': setup.threads}
    if setup.model is not None:
        values['model'] = str(setup.model)
    if setup.options is not None:
        options = {**setup.options, 'parameters': values, 'arguments': remap}
        return WORKERS, 'node', json.dumps(options)
    pairs = [word for name, value in values.items() for word in ('-p', f'{name}:={value}')]
    return 'hydranet_ros', 'run', 'street', *remap, *pairs
