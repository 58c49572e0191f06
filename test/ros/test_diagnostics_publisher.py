"""Diagnostics are published periodically, timing with each frame."""

from __future__ import annotations

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import wait_for
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter

from hydranet_ros.ros.diagnostics_publisher import DiagnosticsPublisher


@pytest.fixture
def make(ros):
    """Return a function that makes a publisher; its status counts the calls."""

    def make(period: float, **parameters) -> DiagnosticsPublisher:
        calls: list[int] = []

        def status() -> DiagnosticStatus:
            calls.append(1)
            return DiagnosticStatus(name='n', message=f'call {len(calls)}')

        values = [Parameter(name, value=value) for name, value in parameters.items()]
        node = ros.add(Node('n', context=ros.context, parameter_overrides=values))
        return DiagnosticsPublisher(node, period, status)

    return make


def test_the_status_is_published_periodically_with_the_nodes_time(ros, make):
    arrays = ros.collect(DiagnosticArray, '/diagnostics')
    before = ros.client.get_clock().now().nanoseconds
    make(0.05)
    wait_for(lambda: len(arrays) >= 3)
    after = ros.client.get_clock().now().nanoseconds
    calls = [int(array.status[0].message.split()[1]) for array in arrays]
    assert calls == list(range(calls[0], calls[0] + len(calls)))
    for array in arrays[:3]:
        assert len(array.status) == 1
        moment = array.header.stamp.sec * 10**9 + array.header.stamp.nanosec
        assert before <= moment <= after


def test_the_period_is_in_seconds_of_a_clock_that_always_runs(make):
    made = make(2.5, use_sim_time=True)
    assert made._timer.timer_period_ns == 2_500_000_000
    assert made._timer.clock.clock_type == ClockType.STEADY_TIME


def test_diagnostics_continue_while_simulated_time_stands_still(ros, make):
    arrays = ros.collect(DiagnosticArray, '/diagnostics')
    make(0.05, use_sim_time=True)
    wait_for(lambda: len(arrays) >= 2)
    assert arrays[0].header.stamp.sec == 0


def test_a_new_period_applies_at_once(ros, make):
    made = make(3600.0)
    arrays = ros.collect(DiagnosticArray, '/diagnostics')
    made.set_period(0.05)
    assert made._timer.timer_period_ns == 50_000_000
    wait_for(lambda: len(arrays) >= 2)


def test_timing_is_requested_while_it_has_a_subscriber(ros, make):
    made = make(3600.0)
    assert made.timing_requested() is False
    timings = ros.collect(DiagnosticStatus, '/n/timing')
    wait_for(made.timing_requested)
    made.publish_timing(DiagnosticStatus(name='n: timing', message='m'))
    wait_for(lambda: timings)
    assert (timings[0].name, timings[0].message) == ('n: timing', 'm')


def test_nothing_is_published_after_the_shutdown_of_the_context(domain_id):
    import rclpy

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain_id)
    node = Node('n', context=context)
    made = DiagnosticsPublisher(node, 3600.0, lambda: pytest.fail('no status is needed'))
    context.shutdown()
    made._publish()
    node.destroy_node()


@pytest.mark.parametrize('topic', ['/diagnostics', '/n/timing'])
def test_the_queue_keeps_five_messages(make, topic):
    made = make(3600.0)
    publishers = {item.topic_name: item for item in (made._array, made._timing)}
    assert publishers[topic].qos_profile.depth == 5
