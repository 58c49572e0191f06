"""What several test files share: the folder of real images, and the isolated ROS domain."""

from __future__ import annotations

import importlib
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest

# A shell has what it starts in the background ignore SIGINT; the processes of the tests, which are
# ended by it, would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
DATA_VARIABLE = 'HYDRANET_DATA'

# Child processes find the benchmarks, which only run from a checkout and are never installed.
os.environ['PYTHONPATH'] = os.pathsep.join(
    [str(ROOT), *filter(None, [os.environ.get('PYTHONPATH')])]
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        '--data',
        default=os.environ.get(DATA_VARIABLE, ''),
        help=f'folder of real test images (default: ${DATA_VARIABLE}, then ../shared/data)',
    )


@pytest.fixture(scope='session')
def data_dir(request: pytest.FixtureRequest) -> Path:
    """Return the folder of real images; the test is skipped where there is none."""
    given = request.config.getoption('--data')
    folder = Path(given) if given else ROOT.parent / 'shared' / 'data'
    if not folder.is_dir():
        pytest.skip(f'no real images at {folder}: give --data FOLDER or set {DATA_VARIABLE}')
    return folder


def benchmark(name: str) -> ModuleType:
    """Return an experiment of ``benchmarks/experiments`` as a module."""
    return importlib.import_module(f'benchmarks.experiments.{name}')


@pytest.fixture
def domain_id() -> Iterator[int]:
    """Hold a ROS domain that no other test on this machine holds, by locking a port."""
    for domain in random.SystemRandom().sample(range(1, 101), 100):
        with socket.socket() as lock, suppress(OSError):
            lock.bind(('127.0.0.1', 32768 - 200 + domain))
            yield domain
            return
    pytest.fail('no free ROS domain between 1 and 100')


class Ros:
    """A ROS context of its own, an executor that spins in a thread, and a client node."""

    def __init__(self, domain: int) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.node import Node

        from hydranet_ros.ros.dds_profile import apply_dds_profile

        # A camera with stock settings loses large images on the way to a best-effort listener.
        apply_dds_profile()
        self.domain = domain
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.client = Node('client', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.client)
        self.nodes: list = []
        self._clients: dict = {}
        self._running = True
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        while self._running:
            self.executor.spin_once(timeout_sec=0.05)

    def add(self, node):
        """Spin a node too, and destroy it at the end."""
        self.nodes.append(node)
        self.executor.add_node(node)
        return node

    def hear(self, kind, topic: str, profile=10) -> list:
        """Return the list that the topic's messages are appended to."""
        heard: list = []
        self.client.create_subscription(kind, topic, heard.append, profile)
        return heard

    def call(self, kind, service: str, request, timeout: float = 10.0):
        """Call a service and return its answer."""
        if service not in self._clients:
            self._clients[service] = self.client.create_client(kind, service)
        client = self._clients[service]
        assert client.wait_for_service(timeout), f'no service {service}'
        future = client.call_async(request)
        wait_for(future.done, timeout)
        return future.result()

    def close(self) -> None:
        """Stop spinning and destroy everything."""
        self._running = False
        self._thread.join(10)
        for node in [*self.nodes, self.client]:
            self.executor.remove_node(node)
            node.destroy_node()
        self.executor.shutdown()
        self.context.try_shutdown()


def wait_for(condition, timeout: float = 10.0, what='') -> None:
    """Wait on a steady clock until a condition holds; ``what`` (or what it returns) is said."""
    until = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > until:
            pytest.fail(
                f'not within {timeout} s: {(what() if callable(what) else what) or condition}'
            )
        time.sleep(0.01)


@pytest.fixture
def ros(domain_id: int) -> Iterator[Ros]:
    """Return a :class:`Ros` on a domain of its own; skipped where rclpy is missing."""
    pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')
    made = Ros(domain_id)
    yield made
    made.close()


@pytest.fixture(scope='session')
def tiny_model(tmp_path_factory) -> Path:
    """Return a small model whose answers can be told from the picture."""
    from model_factory import make_model

    return make_model(tmp_path_factory.mktemp('model') / 'tiny.onnx')


@pytest.fixture
def log(capfd: pytest.CaptureFixture[str]):
    """Return a function that gives all that was logged so far, as a terminal shows it."""
    parts: list[str] = []

    def text() -> str:
        parts.append(capfd.readouterr().err)
        return ''.join(parts)

    return text
