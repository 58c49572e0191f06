"""``hydranet run``; see :mod:`hydranet_ros.__main__` for the usual, faster way to it."""

from __future__ import annotations

import typer

from hydranet_ros.cli import options

CONTEXT_SETTINGS = options.PASS_THROUGH


def command(
    context: typer.Context, preset: options.PresetArgument = options.DEFAULT_PRESET
) -> None:
    """Start the node. Arguments after --ros-args are passed to ROS."""
    from hydranet_ros.ros.arguments import node_arguments
    from hydranet_ros.ros.run import main as run_node

    raise typer.Exit(run_node(node_arguments(preset, context.args)))
