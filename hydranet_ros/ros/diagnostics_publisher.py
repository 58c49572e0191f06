"""Publish ``/diagnostics`` periodically and ``~/timing`` with each frame."""

from __future__ import annotations

from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from hydranet_ros.perception.outputs import TIMING

_QUEUE_DEPTH = 5


class DiagnosticsPublisher:
    """
    Publishers of the node's diagnostics, and the timer of ``/diagnostics``.

    :param period: seconds between two messages on ``/diagnostics``.
    :param status: returns the node's entry of ``/diagnostics``.
    """

    def __init__(self, node: Node, period: float, status: Callable[[], DiagnosticStatus]) -> None:
        self._node, self._status = node, status
        self._timing = node.create_publisher(DiagnosticStatus, TIMING.private_name, _QUEUE_DEPTH)
        self._array = node.create_publisher(DiagnosticArray, '/diagnostics', _QUEUE_DEPTH)
        # Simulated time may stand still, but diagnostics must not.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(period, self._publish, clock=steady)

    def set_period(self, period: float) -> None:
        """Change the period of ``/diagnostics``, in seconds, and restart it."""
        self._timer.timer_period_ns = int(1e9 * period)
        self._timer.reset()

    def timing_requested(self) -> bool:
        """Return whether ``~/timing`` has a subscriber."""
        return self._timing.get_subscription_count() > 0

    def publish_timing(self, status: DiagnosticStatus) -> None:
        """Publish the timing of one frame."""
        self._timing.publish(status)

    def _publish(self) -> None:
        if not self._node.context.ok():
            return
        message = DiagnosticArray(status=[self._status()])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._array.publish(message)
