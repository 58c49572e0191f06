"""Events that the subscribers of the graph receive during a measurement."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.harness.processes import Process
from benchmarks.suites.ros_graph.samples import OUTPUTS, Frame

_POLL = 0.02


def namespace(index: int) -> str:
    """Return the namespace of a camera and its node."""
    return f'/camera{index}'


class Received:
    """Events that the subscribers received during a measurement."""

    def __init__(self, subscribers: Sequence[Process], nodes: Sequence[Process]) -> None:
        self._subscribers, self._nodes = subscribers, nodes
        self._messages: list[dict[str, Any]] = []
        self._timings: list[dict[str, Any]] = []
        self._stamp, self._begin = 0, 0.0

    def restart(self, stamp: int, begin: float) -> None:
        """Count only images stamped from now on; the timings so far give the first cycle."""
        self._stamp, self._begin = stamp, begin
        self._messages.clear()

    def update(self) -> None:
        """
        Collect the events that have arrived.

        :raises BenchError: if a process has ended.
        """
        for process in (*self._nodes, *self._subscribers):
            process.check_running()
        for subscriber in self._subscribers:
            for event in subscriber.pending_events():
                if event.get('output') == 'timing':
                    self._timings.append(event)
                elif event.get('stamp', 0) >= self._stamp:
                    self._messages.append(event)

    def wait(self, seconds: float, frames: int, timeout: float) -> None:
        """Wait for ``seconds`` and then until nothing is missing, at most ``timeout`` seconds."""
        begin = time.monotonic()
        while time.monotonic() - begin < timeout:
            self.update()
            if time.monotonic() - begin >= seconds and not self.shortfall(frames):
                return
            time.sleep(_POLL)

    def shortfall(self, frames: int) -> str:
        """Return which samples are missing; empty if none are."""
        missing = []
        for index in range(len(self._nodes)):
            node = namespace(index)
            counts = {
                'frames': sum(
                    item['node'] == node and item['at'] >= self._begin for item in self._timings
                ),
                **{
                    name: sum(
                        item['node'] == node and item['output'] == name for item in self._messages
                    )
                    for name in OUTPUTS
                },
            }
            missing += [f'{count} of {frames} {name} of {node}'
                        for name, count in counts.items() if count < frames]  # fmt: skip
        return ', '.join(missing)

    def latencies(self) -> dict[str, list[float]]:
        """Return the latencies by output, in milliseconds."""
        return {
            name: [item['latency_ms'] for item in self._messages if item['output'] == name]
            for name in OUTPUTS
        }

    def frames(self, end: float) -> list[Frame]:
        """Return the frames published until ``end``; a node's very first one has no cycle."""
        found = []
        previous: dict[str, Mapping[str, Any]] = {}
        for item in self._timings:
            last = previous.get(item['node'])
            previous[item['node']] = item
            if last is not None and self._begin <= item['at'] <= end:
                cycle = 1e3 * (item['at'] - last['at'])
                found.append(Frame(
                    item['age_ms'], item['total_ms'], cycle, last['age_ms'] + cycle / 2,
                    item['engine_ms'],
                ))  # fmt: skip
        return found
