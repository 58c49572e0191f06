"""The end of a process is no error, and an error is not the end."""

from __future__ import annotations

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from hydranet_ros.ros.ending import until_told_to_end


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
    with until_told_to_end(context):
        executor.spin_once(0)


@pytest.mark.parametrize('error', [RuntimeError, ValueError])
def test_an_error_of_a_callback_is_raised(spinning, error):
    context, executor = spinning

    def fail():
        raise error('a fault')

    executor.create_task(fail)
    with pytest.raises(error, match='a fault'), until_told_to_end(context):
        executor.spin_once(1)
