"""Reserve a ROS domain for processes of this machine that must not see others."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from hydranet_ros.errors import DomainError

_DOMAINS = range(1, 101)
# Below the ephemeral ports of Linux, where no service is registered.
_FIRST_PORT = 32768 - 200


@contextmanager
def free_domain() -> Iterator[int]:
    """
    Yield a ROS domain that no other caller on this machine has reserved.

    A domain is reserved by binding a TCP port, so it is free again when the process ends.

    :raises DomainError: if every domain is reserved.
    """
    for domain in random.SystemRandom().sample(_DOMAINS, len(_DOMAINS)):
        with socket.socket() as lock:
            try:
                lock.bind(('127.0.0.1', _FIRST_PORT + domain))
            except OSError:
                continue
            yield domain
            return
    raise DomainError(
        f'All ROS domains from {_DOMAINS[0]} to {_DOMAINS[-1]} are reserved on this machine; end '
        'other demos, tests or benchmarks.'
    )
