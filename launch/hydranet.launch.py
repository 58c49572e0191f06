"""Any preset, by argument: ros2 launch hydranet_ros hydranet.launch.py preset:=street."""

from hydranet_ros.ros.launch_description import preset_launch_description


def generate_launch_description():
    return preset_launch_description()
