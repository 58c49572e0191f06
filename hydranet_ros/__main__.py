"""``python -m hydranet_ros`` is the command ``hydranet``."""

from __future__ import annotations

import sys

from hydranet_ros.ros.shared_memory import why_rclpy_cannot_load
from hydranet_ros.ros.signals import handle_signals

_USES_ROS = ('run', 'play', 'demo')


def main() -> None:
    """
    Run the command line.

    ``hydranet run PRESET ...`` goes straight to the node: the packages that read a command line
    would cost its start a tenth of a second, and its process their memory for ever.
    """
    arguments = sys.argv[1:]
    if arguments[:1] and arguments[0] in _USES_ROS:
        _prepare_for_ros()
    if is_plain_run(arguments):
        try:
            from hydranet_ros.ros.node import main as run_node
        except ModuleNotFoundError:
            pass  # The command line knows what to say of it.
        else:
            sys.exit(run_node(ros_arguments(arguments[1], arguments[2:])))
    from hydranet_ros.cli import main as run_command

    run_command()


def node_main() -> None:
    """Run the node with ROS arguments only, as ``ros2 run`` and ``ros2 launch`` give them."""
    _prepare_for_ros()
    from hydranet_ros.ros.node import main as run_node

    sys.exit(run_node())


def _prepare_for_ros() -> None:
    """Do what must precede the import of rclpy: handle signals, check the shared memory."""
    handle_signals()
    problem = why_rclpy_cannot_load()
    if problem:
        print(f'hydranet: {problem}', file=sys.stderr)
        sys.exit(2)


def is_plain_run(arguments: list[str]) -> bool:
    """Return whether these arguments start the node and leave nothing to be interpreted."""
    named = len(arguments) > 1 and arguments[0] == 'run' and not arguments[1].startswith('-')
    return named and not {'--', '--help'} & set(arguments)


def ros_arguments(preset: str, extra: list[str]) -> list[str]:
    """Put the preset before the user's own arguments, which win."""
    return ['hydranet', '--ros-args', '-p', f'preset:={preset}', '--', *extra]


if __name__ == '__main__':
    main()
