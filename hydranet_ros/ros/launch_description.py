"""
The launch description that all presets share; a preset's launch file only names it.

Needs ROS 2's own ``launch`` and ``launch_ros``, which come with an installation, not as wheels.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, LogInfo, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterFile

from hydranet_ros.resources import config_file
from hydranet_ros.ros.dds_profile import SWITCH, apply_dds_profile
from hydranet_ros.ros.launch_arguments import LAUNCH_ARGUMENTS
from hydranet_ros.ros.launch_checks import require_executable


def preset_launch_description(preset: str) -> LaunchDescription:
    """Return the launch description of a preset; ``--show-args`` lists its arguments."""
    return LaunchDescription([
        *_arguments(),
        OpaqueFunction(function=_actions, kwargs={'preset': preset}),
    ])  # fmt: skip


def _arguments() -> list[DeclareLaunchArgument]:
    environment = {'dds_profile': os.environ.get(SWITCH, 'default')}
    return [
        DeclareLaunchArgument(
            item.name,
            default_value=environment.get(item.name, item.default),
            description=item.description,
            **({'choices': list(item.choices)} if item.choices else {}),
        )
        for item in LAUNCH_ARGUMENTS
    ]


def _actions(context: LaunchContext, *, preset: str) -> list[Any]:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    # Before anything starts: launch ends by a missing executable, and the node would live on.
    if value('rviz').lower() == 'true':
        require_executable('rviz2', 'rviz2', 'rviz:=true')
    os.environ[SWITCH] = value('dds_profile')
    said = apply_dds_profile()
    sim_time = value('use_sim_time') == 'true' or bool(value('bag'))
    actions: list[Any] = [
        LogInfo(msg=said),
        _node(value, preset, sim_time),
        _rviz(value, sim_time),
    ]
    if value('bag'):
        actions.append(
            ExecuteProcess(
                cmd=['ros2', 'bag', 'play', '--clock', '100', value('bag')], output='screen'
            )
        )
    return actions


def _node(value: Callable[[str], str], preset: str, sim_time: bool) -> LifecycleNode:
    parameters: list[Any] = [{'preset': preset}]
    if value('params_file'):
        parameters.append(ParameterFile(value('params_file')))
    # Later ones win: an argument that was not given must not undo the file.
    defaults = {'model': '', 'domain': '', 'provider': 'auto', 'image_transport': 'raw'}
    given: dict[str, Any] = {
        name: value(name) for name, default in defaults.items() if value(name) != default
    }
    if value('autostart') == 'false':
        given['autostart'] = False
    if sim_time:
        given['use_sim_time'] = True
    if given:
        parameters.append(given)
    remappings = [('image', value('image'))]
    if value('camera_info'):
        remappings.append(('camera_info', value('camera_info')))
    logger = '.'.join([*value('namespace').strip('/').split('/'), 'hydranet']).lstrip('.')
    return LifecycleNode(
        package='hydranet_ros',
        executable='hydranet_node',
        name='hydranet',
        namespace=value('namespace'),
        parameters=parameters,
        remappings=remappings,
        ros_arguments=['--log-level', f'{logger}:={value("log_level")}'],
        output='screen',
    )


def _rviz(value: Callable[[str], str], sim_time: bool) -> Node:
    namespace = value('namespace').strip('/')
    prefix = f'/{namespace}' if namespace else ''
    frame = ['-f', value('frame')] if value('frame') else []
    topics = ['segmentation/overlay', 'depth/color', 'points', 'depth/image']
    return Node(
        package='rviz2',
        executable='rviz2',
        arguments=['-d', str(config_file('hydranet.rviz')), *frame],
        parameters=[{'use_sim_time': sim_time}],
        remappings=[
            (f'/hydranet/{topic}', f'{prefix}/hydranet/{topic}') for topic in topics if prefix
        ],
        condition=IfCondition(LaunchConfiguration('rviz')),
    )
