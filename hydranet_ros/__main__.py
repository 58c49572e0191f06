"""Entry points: ``python -m hydranet_ros`` and ``hydranet`` are the same command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from hydranet_ros.ros.arguments import node_arguments
from hydranet_ros.ros.shared_memory import shared_memory_problem
from hydranet_ros.ros.signals import handle_signals

_ROS_COMMANDS = ('run', 'play', 'demo')


def main() -> None:
    """
    Run the command line.

    ``hydranet run PRESET ...`` starts the node without the packages that parse a command line.
    They would delay the start by a tenth of a second and stay in memory.
    """
    arguments = sys.argv[1:]
    if arguments[:1] and arguments[0] in _ROS_COMMANDS:
        _prepare_for_ros()
    if is_plain_run(arguments):
        try:
            from hydranet_ros.ros.run import main as run_node
        except ModuleNotFoundError:
            pass  # The command line reports which package is missing.
        else:
            sys.exit(run_node(node_arguments(arguments[1], arguments[2:])))
    from hydranet_ros.cli import main as run_command

    run_command()


def node_main() -> None:
    """Run the node with ROS arguments only, as ``ros2 run`` and ``ros2 launch`` do."""
    _prepare_for_ros()
    from hydranet_ros.ros.run import main as run_node

    sys.exit(run_node())


def is_plain_run(arguments: Sequence[str]) -> bool:
    """Return whether the arguments start the node and have no options of ``hydranet run``."""
    named = len(arguments) > 1 and arguments[0] == 'run' and not arguments[1].startswith('-')
    return named and not {'--', '--help'} & set(arguments)


def _prepare_for_ros() -> None:
    """Handle signals and check the shared memory, which must precede the import of rclpy."""
    handle_signals()
    problem = shared_memory_problem()
    if problem:
        print(f'hydranet: {problem}', file=sys.stderr)
        sys.exit(2)


if __name__ == '__main__':
    main()
