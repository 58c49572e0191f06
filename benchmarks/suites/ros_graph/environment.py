"""Environment of the suite's processes: a free ROS domain, with or without the DDS profile."""

from __future__ import annotations

import os
from collections.abc import Mapping

from hydranet_ros.ros.dds_profile import CHOSEN, PUBLICATION_MODE, SWITCH, TRANSPORTS, VARIABLES
from hydranet_ros.ros.domains import free_domain

__all__ = ['environment', 'free_domain']


def environment(
    domain: int, *, profile: bool, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """
    Return the environment of a child process.

    Fast DDS settings of the user and of the parent are removed.

    :param profile: whether to use the package's DDS profile; otherwise Fast DDS defaults.
    :param extra: additional variables.
    """
    removed = (*VARIABLES, TRANSPORTS, PUBLICATION_MODE, CHOSEN)
    kept = {name: value for name, value in os.environ.items() if name not in removed}
    return {
        **kept, 'ROS_DOMAIN_ID': str(domain), SWITCH: 'default' if profile else 'off',
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST', 'PYTHONUNBUFFERED': '1', **(extra or {}),
    }  # fmt: skip
