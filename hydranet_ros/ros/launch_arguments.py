"""
The table of launch arguments, which every launch file takes.

Imports neither launch nor launch_ros, so that the documentation can read it anywhere. A new
argument is one row here and its use in :mod:`hydranet_ros.ros.launch_description`.
"""

from __future__ import annotations

from dataclasses import dataclass

from hydranet_ros.inference.providers import PROVIDERS

_BOOLEAN = ('true', 'false')


@dataclass(frozen=True)
class LaunchArgument:
    """
    One argument of the launch files.

    :param choices: allowed values, empty for any.
    """

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()


LAUNCH_ARGUMENTS: tuple[LaunchArgument, ...] = (
    LaunchArgument('image', 'image', 'Topic of the camera image.'),
    LaunchArgument('camera_info', '', 'Topic of the camera info; empty: beside the image topic.'),
    LaunchArgument('image_transport', 'raw', 'Transport of the image.', ('raw', 'compressed')),
    LaunchArgument('namespace', '', 'Namespace of the node.'),
    LaunchArgument('model', '', 'Model file, a path or a name; empty: the one of the preset.'),
    LaunchArgument('domain', '', 'Domain of a model that has several; empty: the default.'),
    LaunchArgument('provider', 'auto', 'Execution provider of ONNX Runtime; auto selects the best '
                   'available one.', ('auto', *PROVIDERS)),
    LaunchArgument('params_file', '', "Parameter file (YAML); overrides the preset's defaults."),
    LaunchArgument('autostart', 'true', 'Configure and activate the node without a lifecycle '
                   'manager.', _BOOLEAN),
    LaunchArgument('use_sim_time', 'false', 'Take the time from /clock.', _BOOLEAN),
    LaunchArgument('rviz', 'false', 'Show overlay, depth and point cloud in RViz.', _BOOLEAN),
    LaunchArgument('frame', '', "Fixed frame of RViz, the camera's optical frame; empty: "
                   'camera_optical.'),
    LaunchArgument('bag', '', 'Bag to play with /clock; empty: none. Implies use_sim_time.'),
    LaunchArgument('log_level', 'info', 'Log level of the node.',
                   ('debug', 'info', 'warn', 'error', 'fatal')),
    LaunchArgument('dds_profile', 'default', 'Fast DDS profile for large messages: default, off, '
                   'or a path. HYDRANET_DDS_PROFILE changes the default.'),
)  # fmt: skip
