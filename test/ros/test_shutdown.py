"""The end of a process is no error, and an error is not the end."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

import rclpy
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.waitable import NumberOfEntities, Waitable

from hydranet_ros.ros.shutdown import spin, until_shutdown


@pytest.fixture
def spinning(ros):
    """Return a context and an executor in it that has a node."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros.domain)
    node = Node('spinner', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    yield context, executor
    executor.shutdown()
    node.destroy_node()
    context.try_shutdown()


def test_an_executor_that_finds_its_context_ended_just_ends(spinning):
    context, executor = spinning
    context.shutdown()
    with pytest.raises(RuntimeError):
        executor.spin_once(0)
    with until_shutdown(context):
        executor.spin_once(0)


@pytest.mark.parametrize('error', [RuntimeError, ValueError])
def test_an_error_of_a_callback_is_raised(spinning, error):
    context, executor = spinning

    def fail():
        raise error('a fault')

    executor.create_task(fail)
    with pytest.raises(error, match='a fault'), until_shutdown(context):
        executor.spin_once(1)


def test_spin_logs_the_error_of_a_callback_as_one_line_and_goes_on(spinning):
    context, executor = spinning
    lines: list[str] = []
    logger = SimpleNamespace(error=lines.append)

    def fail():
        raise ValueError('a fault\nof two lines')

    executor.create_task(fail)
    executor.create_task(context.shutdown)
    with until_shutdown(context):
        spin(executor, logger, context)
    assert lines == ['A callback failed and was skipped: ValueError: a fault of two lines']


@pytest.mark.parametrize('error', [KeyboardInterrupt, ExternalShutdownException])
def test_spin_does_not_swallow_what_ends_the_process(spinning, error):
    context, executor = spinning

    def end():
        raise error

    executor.create_task(end)
    with pytest.raises(error):
        spin(executor, SimpleNamespace(error=pytest.fail), context)


def test_spin_raises_an_error_outside_a_callback(spinning):
    """It would only repeat itself, and the loop would take a whole core."""
    context, executor = spinning

    class Broken(Waitable):
        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def add_to_wait_set(self, wait_set):
            raise ValueError('a fault')

        def get_num_entities(self):
            return NumberOfEntities()

        def is_ready(self, wait_set):
            return False

    executor.get_nodes()[0].add_waitable(Broken(ReentrantCallbackGroup()))
    with pytest.raises(ValueError, match='a fault'):
        spin(executor, SimpleNamespace(error=pytest.fail), context)
