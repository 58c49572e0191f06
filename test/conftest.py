"""Shared fixtures: real images, an isolated ROS domain, a small model, the log."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# The threads of PyTorch would wait for each other beside the other test processes.
os.environ.setdefault('OMP_NUM_THREADS', '1')

# Background jobs of a shell ignore SIGINT, and the processes that tests end with it would inherit
# that.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
DATA_VARIABLE = 'HYDRANET_DATA'
TIMEOUT = 60.0
"""Seconds to wait for a condition; a busy machine is several times slower than an idle one."""

# Child processes find the benchmarks, which run only from a checkout and are never installed.
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
    """Return the folder of real images; skip the test if there is none."""
    given = request.config.getoption('--data')
    folder = Path(given) if given else ROOT.parent / 'shared' / 'data'
    if not folder.is_dir():
        pytest.skip(f'no real images at {folder}: give --data FOLDER or set {DATA_VARIABLE}')
    return folder


@pytest.fixture
def domain_id() -> Iterator[int]:
    """Reserve a ROS domain that no other test on this machine uses."""
    from hydranet_ros.ros.domains import free_domain

    with free_domain() as domain:
        yield domain


class Ros:
    """A ROS context, an executor that spins in a thread, and a client node."""

    def __init__(self, domain: int) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.node import Node

        from hydranet_ros.ros.dds_profile import apply_dds_profile

        # With default settings, large images do not reach a best-effort subscriber.
        apply_dds_profile()
        self.domain = domain
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.client = Node('client', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.client)
        self.nodes: list[Any] = []
        self._clients: dict[str, Any] = {}
        self._running = True
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        while self._running:
            self.executor.spin_once(timeout_sec=0.05)

    def add(self, node: Any) -> Any:
        """Spin a node, too, and destroy it at the end."""
        self.nodes.append(node)
        self.executor.add_node(node)
        return node

    def run(self, function: Callable[[], Any]) -> Any:
        """Call a function in the thread that spins, which alone may destroy what it waits for."""
        task = self.executor.create_task(function)
        wait_for(task.done, what='the call')
        return task.result()

    def collect(self, kind: type, topic: str, profile: Any = 10) -> list[Any]:
        """Subscribe to a topic; return the list to which its messages are appended."""
        messages: list[Any] = []
        self.client.create_subscription(kind, topic, messages.append, profile)
        return messages

    def call(self, kind: Any, service: str, request: Any, timeout: float = TIMEOUT) -> Any:
        """Call a service; return its response."""
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
        self.executor.wake()
        self._thread.join(TIMEOUT)
        for node in [*self.nodes, self.client]:
            self.executor.remove_node(node)
            node.destroy_node()
        self.executor.shutdown()
        self.context.try_shutdown()


def wait_for(
    condition: Callable[[], Any], timeout: float = TIMEOUT, what: str | Callable[[], str] = ''
) -> None:
    """
    Wait until a condition holds; fail the test after the timeout.

    :param timeout: seconds; long enough for a busy machine.
    :param what: description of the condition for the failure, or a function that returns it.
    """
    until = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > until:
            pytest.fail(
                f'not within {timeout} s: {(what() if callable(what) else what) or condition}'
            )
        time.sleep(0.01)


@pytest.fixture
def ros(domain_id: int) -> Iterator[Ros]:
    """Return a :class:`Ros` on a domain of its own; skip the test without rclpy."""
    pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')
    made = Ros(domain_id)
    yield made
    made.close()


@pytest.fixture(scope='session')
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small model whose predictions can be computed from the image."""
    from model_factory import make_model

    return make_model(tmp_path_factory.mktemp('model') / 'tiny.onnx')


@pytest.fixture
def log(capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Return a function that returns everything logged so far, as a terminal shows it."""
    parts: list[str] = []

    def text() -> str:
        parts.append(capfd.readouterr().err)
        return ''.join(parts)

    return text
