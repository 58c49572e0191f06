"""
The table of launch arguments, importable without ROS 2's ``launch``.

:mod:`hydranet_ros.ros.launch_description` declares them, and the documentation lists them. A new
argument is one more row.
"""

from __future__ import annotations

from dataclasses import dataclass

from hydranet_ros.inference.options import PRECISIONS
from hydranet_ros.inference.providers import PROVIDERS
from hydranet_ros.ros.dds_profile import SWITCH

_LOG_LEVELS = ('debug', 'info', 'warn', 'error', 'fatal')
_BOOLEAN = ('true', 'false')


@dataclass(frozen=True)
class LaunchArgument:
    """
    One argument of the launch files.

    :param choices: allowed values; empty if every value is allowed.
    :param is_parameter: pass the value to the node's parameter of the same name, unless it is the
        default: an argument that is not given must not override ``params_file``.
    :param variable: environment variable that replaces the default if it is set.
    """

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()
    is_parameter: bool = False
    variable: str = ''


LAUNCH_ARGUMENTS: tuple[LaunchArgument, ...] = (
    LaunchArgument('image', 'image', 'Topic of the camera image.'),
    LaunchArgument(
        'camera_info', '', 'Topic of the camera info; empty for the sibling of the image topic.'
    ),
    LaunchArgument(
        'image_transport', 'raw', 'Transport of the image.', ('raw', 'compressed'),
        is_parameter=True,
    ),
    LaunchArgument('namespace', '', 'Namespace of the node.'),
    LaunchArgument(
        'model', '', 'Model file, a path or a name; empty for that of the preset.',
        is_parameter=True,
    ),
    LaunchArgument(
        'domain', '', 'Domain of a preset with several; empty for its default.',
        is_parameter=True,
    ),
    LaunchArgument(
        'provider', 'auto', 'Execution provider; auto selects the best available one.',
        ('auto', *PROVIDERS), is_parameter=True,
    ),
    LaunchArgument(
        'precision', 'auto', 'Arithmetic of the network; auto selects the fastest right one.',
        PRECISIONS, is_parameter=True,
    ),
    LaunchArgument(
        'device', '', "Device of the provider, such as a GPU's number; empty for its default.",
        is_parameter=True,
    ),
    LaunchArgument(
        'params_file', '', "Parameter file (YAML); overrides the preset's defaults."
    ),
    LaunchArgument(
        'autostart', 'true', 'Configure and activate the node without a lifecycle manager.',
        _BOOLEAN,
    ),
    LaunchArgument('use_sim_time', 'false', 'Use the time of /clock.', _BOOLEAN),
    LaunchArgument('rviz', 'false', 'Show overlay, depth and point cloud in RViz.', _BOOLEAN),
    LaunchArgument(
        'frame', '', "Fixed frame of RViz, the camera's optical frame; empty for camera_optical."
    ),
    LaunchArgument(
        'bag', '', 'Bag to play with /clock; empty for none. Implies use_sim_time.'
    ),
    LaunchArgument('log_level', 'info', 'Log level of the node.', _LOG_LEVELS),
    LaunchArgument(
        'dds_profile', 'default', 'Fast DDS profile for large messages: default, off or a path. '
        f'{SWITCH} changes the default.', variable=SWITCH,
    ),
)  # fmt: skip
"""Arguments of every launch file, in the order of ``--show-args``."""

PRESET = LaunchArgument(
    'preset', 'street', 'Preset: a name in config/ or the path of a .yaml file.'
)
"""Argument that only ``hydranet.launch.py`` has."""
