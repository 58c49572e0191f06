"""``hydranet run``: the node as a process."""

from __future__ import annotations

import sys

import rclpy

from hydranet_ros.errors import HydranetError, ParameterError
from hydranet_ros.ros.allocator import keep_freed_memory
from hydranet_ros.ros.dds_profile import apply_dds_profile
from hydranet_ros.ros.node import HydranetNode
from hydranet_ros.ros.shutdown import NodeExecutor, begin_teardown, spin, until_shutdown
from hydranet_ros.ros.signals import begin_running, handle_signals, shutdown_requested


def main(args: list[str] | None = None) -> int:
    """Run the node until shutdown; return the exit status."""
    handle_signals()
    keep_freed_memory()
    dds_profile = apply_dds_profile(asynchronous=True)
    node = None
    begin_running()
    try:
        with until_shutdown():
            _init(args)
            if shutdown_requested():  # before rclpy handled signals
                return 0
            node = HydranetNode()
            node.get_logger().info(dds_profile)
            executor = NodeExecutor()
            executor.add_node(node)
            spin(executor, node.get_logger())
    except HydranetError as err:
        print(f'hydranet: {err}', file=sys.stderr)
        return 2
    finally:
        begin_teardown()
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _init(args: list[str] | None) -> None:
    try:
        rclpy.init(args=args)
    except RuntimeError as err:
        raise ParameterError(f'The ROS arguments cannot be used: {err}') from err


if __name__ == '__main__':
    sys.exit(main())
