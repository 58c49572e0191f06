"""The arguments of the node's process."""

from __future__ import annotations

from hydranet_ros.ros.arguments import node_arguments


def test_the_preset_precedes_the_arguments_of_the_user_which_override_it():
    assert node_arguments('kitti', ['--ros-args', '-p', 'preset:=street']) == [
        'hydranet', '--ros-args', '-p', 'preset:=kitti', '--', '--ros-args', '-p',
        'preset:=street',
    ]  # fmt: skip


def test_a_preset_alone_is_enough():
    assert node_arguments('street', ()) == ['hydranet', '--ros-args', '-p', 'preset:=street', '--']
