"""Where a benchmark's processes meet: a ROS domain of their own, with or without our profile."""

from __future__ import annotations

import os
from collections.abc import Mapping

from hydranet_ros.ros.demo import free_domain
from hydranet_ros.ros.profile import CHOSEN, PUBLICATION_MODE, SWITCH, TRANSPORTS, VARIABLES

__all__ = ['environment', 'free_domain']


def environment(
    domain: int, *, profile: bool, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """
    Return the environment of a child process.

    What the user, or the parent, has chosen for Fast DDS is left out: it is compared here.

    :param profile: with the package's profile, else Fast DDS' own settings.
    """
    chosen = (*VARIABLES, TRANSPORTS, PUBLICATION_MODE, CHOSEN)
    kept = {name: value for name, value in os.environ.items() if name not in chosen}
    return {
        **kept, 'ROS_DOMAIN_ID': str(domain), SWITCH: 'default' if profile else 'off',
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST', 'PYTHONUNBUFFERED': '1', **(extra or {}),
    }  # fmt: skip
