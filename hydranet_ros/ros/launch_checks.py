"""Checks before a launch file starts a process, without launch and launch_ros."""

from __future__ import annotations

import os
from pathlib import Path

from hydranet_ros.errors import MissingDependencyError


def require_executable(package: str, executable: str, argument: str) -> None:
    """
    Check that a ROS package with an executable is installed.

    :param argument: launch argument that needs the executable, for the message.
    :raises MissingDependencyError: if it is not installed.
    """
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        found = Path(get_package_prefix(package)) / 'lib' / package / executable
    # OSError: AMENT_PREFIX_PATH is not set, because no ROS environment was sourced.
    except (PackageNotFoundError, OSError):
        found = None
    if found is not None and os.access(found, os.X_OK):
        return
    distro = os.environ.get('ROS_DISTRO', '<distro>')
    raise MissingDependencyError(
        f'{argument} needs the executable {executable} of the ROS package {package}, which is '
        f'not installed. Install ros-{distro}-{package}, or launch without {argument}.'
    )
