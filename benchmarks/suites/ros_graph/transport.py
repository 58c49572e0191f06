"""
A cloud of 7.45 MB from publish() to the callback of a subscriber in another process.

Nothing but the wire: Fast DDS' own transports against the profile that the package ships.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.suites.graph_domain import environment, free_domain
from benchmarks.suites.processes import Process
from benchmarks.suites.result import Series
from hydranet_ros.errors import BenchError
from hydranet_ros.ros.profile import PUBLICATION_MODE, SWITCH, profile_text

WORKERS = 'benchmarks.suites.graph_workers'
RATE = 30.0
_WARM_UP = 3
_LATE = 3.0
_QUIET = 1.0


@dataclass(frozen=True)
class Competitor:
    """
    Who sends and who receives.

    :param sender: whether the publisher has the package's profile; ``receiver`` likewise.
    :param keeps: whether the receiver's glibc keeps large blocks, as the package's processes do.
    :param segment: bytes of shared memory that the profile has instead of its 64 MiB, as where
        ``/dev/shm`` is small; 0: it does without; ``None``: as shipped.
    :param synchronous: whether publish() itself writes into the transport, instead of
        a thread, as the node has it.
    """

    name: str
    sender: bool
    receiver: bool
    keeps: bool = True
    segment: int | None = None
    synchronous: bool = False


DEFAULT = Competitor('default', sender=False, receiver=False)
PROFILE = Competitor('profile', sender=True, receiver=True)
COMPETITORS = (
    DEFAULT,
    PROFILE,
    Competitor('profile_synchronous', sender=True, receiver=True, synchronous=True),
    Competitor('profile_to_stock', sender=True, receiver=False),
    Competitor('profile_to_stock_malloc', sender=True, receiver=False, keeps=False),
    Competitor('profile_16_mib', sender=True, receiver=True, segment=16 << 20),
    Competitor('profile_udp', sender=True, receiver=True, segment=0),
)


@dataclass(frozen=True)
class WireTimes:
    """
    What one competitor's clouds took.

    :param latency: publish() to callback, ``publish`` the call of publish() alone.
    :param lost: share of clouds, 0..1, that never came at 30 Hz, by the subscriber's reliability.
    """

    latency: Series
    publish: Series
    lost: Mapping[str, float]


def measure_wire(
    folder: Path, competitors: tuple[Competitor, ...], *, rounds: int, stream: int
) -> dict[str, WireTimes]:
    """
    Send clouds of all competitors in turn and return what they took.

    :param folder: for the logs.
    :param stream: clouds of each burst at 30 Hz; two bursts of each kind, in turn.
    :raises BenchError: if a cloud does not come, or comes changed.
    """
    with ExitStack() as stack:
        pairs = {item.name: stack.enter_context(_pair(item, folder)) for item in competitors}
        for pair in pairs.values():
            pair.match()
        latencies: dict[str, list[float]] = {name: [] for name in pairs}
        publishing: dict[str, list[float]] = {name: [] for name in pairs}
        for index in range(_WARM_UP + rounds):
            for name in list(pairs)[:: 1 if index % 2 else -1]:
                took, publish = pairs[name].once()
                if index >= _WARM_UP:
                    latencies[name].append(took)
                    publishing[name].append(publish)
        lost = _lost(pairs, stream)
    return {
        name: WireTimes(
            Series(name, tuple(latencies[name])), Series(name, tuple(publishing[name])), lost[name]
        )
        for name in pairs
    }


def _lost(pairs: Mapping[str, _Pair], count: int) -> dict[str, dict[str, float]]:
    lost = {name: {'reliable': 0.0, 'best_effort': 0.0} for name in pairs}
    for order in (list(pairs), list(pairs)[::-1]):
        for name in order:
            for topic in lost[name]:
                lost[name][topic] += (1 - pairs[name].heard_of(topic, count) / count) / 2
    return lost


class _Pair:
    """A publisher and a subscriber, a process each."""

    def __init__(self, name: str, sender: Process, receiver: Process) -> None:
        self._name, self._sender, self._receiver = name, sender, receiver

    def match(self) -> None:
        self._receiver.fact()
        self._sender.tell('match', 1)
        if not self._sender.fact()['matched']:
            raise BenchError(
                f'{self._name}: publisher and subscriber did not find each other on this machine; '
                'is a network interface up (lo is enough)?'
            )

    def once(self) -> tuple[float, float]:
        """Return milliseconds of one cloud: to the callback, and of publish() alone."""
        self._sender.tell('send', 'latency', 1, RATE)
        sent, heard = self._sender.fact(), self._receiver.fact()
        if heard['checksum'] != sent['checksum']:
            raise BenchError(f'{self._name}: the cloud that came is not the one that was sent.')
        return heard['latency_ms'], sent['publish_ms']

    def heard_of(self, topic: str, count: int) -> int:
        """Return how many of ``count`` clouds at 30 Hz were heard."""
        self._receiver.facts()
        self._sender.tell('send', topic, count, RATE)
        self._sender.fact()
        heard: set[int] = set()
        wait = _LATE
        while len(heard) < count and (fact := self._receiver.fact_or_none(wait)):
            heard.add(fact['number'])
            wait = _QUIET
        return len(heard)


@contextmanager
def _pair(competitor: Competitor, folder: Path) -> Iterator[_Pair]:
    extra = {}
    if competitor.segment is not None:
        path = folder / f'{competitor.name}.xml'
        path.write_text(profile_text(competitor.segment), encoding='utf-8')
        extra[SWITCH] = str(path)
    if competitor.sender and not competitor.synchronous:
        extra[PUBLICATION_MODE] = 'ASYNCHRONOUS'
    with ExitStack() as stack:
        domain = stack.enter_context(free_domain())
        processes = [
            stack.enter_context(Process.of_module(
                WORKERS, role, json.dumps({'keep_large_blocks': keeps}),
                environment=environment(domain, profile=profile, extra=extra),
                log=folder / f'{competitor.name}_{role}.log',
            ))
            for role, profile, keeps in (
                ('send-cloud', competitor.sender, True),
                ('receive-cloud', competitor.receiver, competitor.keeps),
            )
        ]  # fmt: skip
        yield _Pair(competitor.name, *processes)
