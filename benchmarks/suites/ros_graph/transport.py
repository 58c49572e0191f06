"""
Latency and loss of a 7.45 MB cloud from publish() to a subscriber's callback in another process.

Fast DDS with its default transports and with the profile of this package; no node is involved.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.processes import Process
from benchmarks.harness.results import Series
from benchmarks.suites.ros_graph.environment import environment, free_domain
from hydranet_ros.errors import BenchError
from hydranet_ros.ros.dds_profile import PUBLICATION_MODE, SWITCH, profile_text

WORKERS = 'benchmarks.suites.ros_graph.workers'
RATE = 30.0
_WARM_UP = 3
# A cloud of a burst is lost if it has not arrived this long after the burst, or after another one.
_LATE, _QUIET_TIME = 3.0, 1.0


@dataclass(frozen=True)
class Transport:
    """
    Settings of a publisher and a subscriber.

    :param publisher: whether the publisher uses the package's profile; ``subscriber`` likewise.
    :param keep_blocks: whether glibc keeps large blocks in the subscriber, as in the package's
        processes.
    :param segment: bytes of shared memory instead of the profile's 64 MiB, as where ``/dev/shm``
        is small; 0 for none; ``None`` for the profile as shipped.
    :param synchronous: whether publish() writes into the transport itself, instead of a thread.
    """

    name: str
    publisher: bool
    subscriber: bool
    keep_blocks: bool = True
    segment: int | None = None
    synchronous: bool = False


DEFAULT = Transport('default', publisher=False, subscriber=False)
PROFILE = Transport('profile', publisher=True, subscriber=True)
TRANSPORTS = (
    DEFAULT,
    PROFILE,
    Transport('profile_synchronous', publisher=True, subscriber=True, synchronous=True),
    Transport('profile_to_default', publisher=True, subscriber=False),
    Transport('profile_to_default_malloc', publisher=True, subscriber=False, keep_blocks=False),
    Transport('profile_16_mib', publisher=True, subscriber=True, segment=16 << 20),
    Transport('profile_udp', publisher=True, subscriber=True, segment=0),
)


@dataclass(frozen=True)
class TransportTimes:
    """
    Times and losses of one transport.

    :param latency: from publish() to the callback; ``publish`` is the call of publish() alone.
    :param loss: share of clouds lost at 30 Hz, 0..1, by reliability of the subscriber.
    """

    latency: Series
    publish: Series
    loss: Mapping[str, float]


def measure_transports(
    folder: Path, transports: tuple[Transport, ...], *, rounds: int, burst: int, turns: int
) -> dict[str, TransportTimes]:
    """
    Send clouds over all transports in turn; return their times and losses.

    :param folder: folder of the logs.
    :param burst: clouds of each burst at 30 Hz; ``turns`` bursts per transport and reliability.
    :raises BenchError: if a cloud does not arrive, or differs.
    """
    with ExitStack() as stack:
        pairs = {item.name: stack.enter_context(_pair(item, folder)) for item in transports}
        for pair in pairs.values():
            pair.connect()
        latencies: dict[str, list[float]] = {name: [] for name in pairs}
        publishing: dict[str, list[float]] = {name: [] for name in pairs}
        for index in range(_WARM_UP + rounds):
            for name in list(pairs)[:: 1 if index % 2 else -1]:
                latency, publish = pairs[name].send_one()
                if index >= _WARM_UP:
                    latencies[name].append(latency)
                    publishing[name].append(publish)
        loss = _loss(pairs, burst, turns)
    return {
        name: TransportTimes(
            Series(name, tuple(latencies[name])), Series(name, tuple(publishing[name])), loss[name]
        )
        for name in pairs
    }


def _loss(pairs: Mapping[str, _Pair], burst: int, turns: int) -> dict[str, dict[str, float]]:
    lost = {name: {'reliable': 0.0, 'best_effort': 0.0} for name in pairs}
    for turn in range(turns):
        for name in list(pairs)[:: 1 if turn % 2 == 0 else -1]:
            for topic in lost[name]:
                lost[name][topic] += (1 - pairs[name].send_burst(topic, burst) / burst) / turns
    return lost


class _Pair:
    """A publisher and a subscriber, one process each."""

    def __init__(self, name: str, publisher: Process, subscriber: Process) -> None:
        self._name, self._publisher, self._subscriber = name, publisher, subscriber

    def connect(self) -> None:
        """
        Wait until both have discovered each other.

        :raises BenchError: if they do not.
        """
        self._subscriber.next_event()
        self._publisher.send('match', 1)
        if not self._publisher.next_event()['matched']:
            raise BenchError(
                f'{self._name}: publisher and subscriber did not discover each other. Check that '
                'a network interface is up (lo is enough).'
            )

    def send_one(self) -> tuple[float, float]:
        """Return the milliseconds of one cloud: to the callback, and of publish() alone."""
        self._publisher.send('send', 'latency', 1, RATE)
        sent, received = self._publisher.next_event(), self._subscriber.next_event()
        if received['checksum'] != sent['checksum']:
            raise BenchError(f'{self._name}: the received cloud differs from the published one.')
        return received['latency_ms'], sent['publish_ms']

    def send_burst(self, topic: str, count: int) -> int:
        """Return how many of ``count`` clouds at 30 Hz were received."""
        self._subscriber.pending_events()
        self._publisher.send('send', topic, count, RATE)
        self._publisher.next_event()
        received: set[int] = set()
        wait = _LATE
        while len(received) < count and (event := self._subscriber.poll_event(wait)):
            received.add(event['number'])
            wait = _QUIET_TIME
        return len(received)


@contextmanager
def _pair(transport: Transport, folder: Path) -> Iterator[_Pair]:
    extra = {}
    if transport.segment is not None:
        path = folder / f'{transport.name}.xml'
        path.write_text(profile_text(transport.segment), encoding='utf-8')
        extra[SWITCH] = str(path)
    if transport.publisher and not transport.synchronous:
        extra[PUBLICATION_MODE] = 'ASYNCHRONOUS'
    with ExitStack() as stack:
        domain = stack.enter_context(free_domain())
        processes = [
            stack.enter_context(Process.of_module(
                WORKERS, role, json.dumps({'keep_freed_memory': keep_blocks}),
                environment=environment(domain, profile=profile, extra=extra),
                log=folder / f'{transport.name}_{role}.log',
            ))
            for role, profile, keep_blocks in (
                ('cloud-publisher', transport.publisher, True),
                ('cloud-subscriber', transport.subscriber, transport.keep_blocks),
            )
        ]  # fmt: skip
        yield _Pair(transport.name, *processes)
