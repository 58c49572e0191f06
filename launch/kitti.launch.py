"""Preset kitti; see ros2 launch hydranet_ros kitti.launch.py --show-args."""

from hydranet_ros.ros.launch_description import preset_launch_description


def generate_launch_description():
    return preset_launch_description('kitti')
