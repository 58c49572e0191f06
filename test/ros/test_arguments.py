"""Command-line arguments of the node's process."""

from __future__ import annotations

from hydranet_ros.ros.arguments import node_arguments


def test_the_preset_comes_before_the_arguments_of_the_user_which_override_it():
    extra = ['--ros-args', '-p', 'preset:=nyud']
    assert node_arguments('kitti', extra) == [
        'hydranet', '--ros-args', '-p', 'preset:=kitti', '--', *extra,
    ]  # fmt: skip
    assert node_arguments('kitti', ()) == ['hydranet', '--ros-args', '-p', 'preset:=kitti', '--']
