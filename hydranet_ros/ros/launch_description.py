"""
The launch description that all launch files share.

It needs ROS 2's own ``launch`` and ``launch_ros``, which come with an installation of ROS 2, not
as wheels.
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

from hydranet_ros.perception.outputs import OUTPUTS
from hydranet_ros.resources import config_file
from hydranet_ros.ros.dds_profile import SWITCH, apply_dds_profile
from hydranet_ros.ros.launch_arguments import LAUNCH_ARGUMENTS, PRESET, LaunchArgument
from hydranet_ros.ros.launch_checks import require_executable


def preset_launch_description(preset: str = '') -> LaunchDescription:
    """
    Return the launch description of a preset; ``--show-args`` lists its arguments.

    :param preset: name of the preset; if empty, it is the launch argument ``preset``.
    """
    arguments = LAUNCH_ARGUMENTS if preset else (PRESET, *LAUNCH_ARGUMENTS)
    return LaunchDescription([
        *map(_declaration, arguments),
        OpaqueFunction(function=_actions, kwargs={'preset': preset}),
    ])  # fmt: skip


def _declaration(argument: LaunchArgument) -> DeclareLaunchArgument:
    return DeclareLaunchArgument(
        argument.name,
        default_value=os.environ.get(argument.variable, argument.default),
        description=argument.description,
        choices=list(argument.choices) or None,
    )


def _actions(context: LaunchContext, *, preset: str) -> list[Any]:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    # Check this before anything starts: a missing executable ends launch, but not the node.
    if value('rviz').lower() == 'true':
        require_executable('rviz2', 'rviz2', 'rviz:=true')
    os.environ[SWITCH] = value('dds_profile')
    summary = apply_dds_profile()
    sim_time = value('use_sim_time') == 'true' or bool(value('bag'))
    actions: list[Any] = [
        LogInfo(msg=summary),
        _node(value, preset or value(PRESET.name), sim_time),
        _rviz(value, sim_time),
    ]
    if value('bag'):
        command = ['ros2', 'bag', 'play', '--clock', '100', value('bag')]
        actions.append(ExecuteProcess(cmd=command, output='screen'))
    return actions


def _node(value: Callable[[str], str], preset: str, sim_time: bool) -> LifecycleNode:
    # Later entries override earlier ones.
    parameters: list[Any] = [{'preset': preset}]
    if value('params_file'):
        parameters.append(ParameterFile(value('params_file')))
    given = _given_parameters(value, sim_time)
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


def _given_parameters(value: Callable[[str], str], sim_time: bool) -> dict[str, Any]:
    """Return the parameters whose arguments differ from their defaults."""
    given: dict[str, Any] = {
        item.name: value(item.name)
        for item in LAUNCH_ARGUMENTS
        if item.is_parameter and value(item.name) != item.default
    }
    if value('autostart') == 'false':
        given['autostart'] = False
    if sim_time:
        given['use_sim_time'] = True
    return given


def _rviz(value: Callable[[str], str], sim_time: bool) -> Node:
    namespace = value('namespace').strip('/')
    frame = ['-f', value('frame')] if value('frame') else []
    topics = [spec.full_name for spec in OUTPUTS.values()]
    return Node(
        package='rviz2',
        executable='rviz2',
        arguments=['-d', str(config_file('hydranet.rviz')), *frame],
        parameters=[{'use_sim_time': sim_time}],
        remappings=[(topic, f'/{namespace}{topic}') for topic in topics if namespace],
        condition=IfCondition(LaunchConfiguration('rviz')),
    )
