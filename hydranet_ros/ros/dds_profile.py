"""
Choose a Fast DDS profile that suits large messages.

With the default settings of Fast DDS a point cloud of 7 MB takes about ten times longer, and a
best-effort subscriber does not receive it at all. The environment variables set here apply to
participants created afterwards, so :func:`apply_dds_profile` is called before ``rclpy.init``.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from importlib import metadata
from pathlib import Path
from xml.etree import ElementTree

from hydranet_ros.resources import config_file
from hydranet_ros.ros.shared_memory import SHARED_MEMORY, free_bytes, reclaim_segments

SWITCH = 'HYDRANET_DDS_PROFILE'
# Passed to child processes, which would otherwise mistake the parent's choice for the user's.
CHOSEN = '_HYDRANET_DDS_CHOSEN'
VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
_FAST_DDS_2 = ('humble', 'iron', 'jazzy')
TRANSPORTS = 'FASTDDS_BUILTIN_TRANSPORTS'
PUBLICATION_MODE = 'RMW_FASTRTPS_PUBLICATION_MODE'
_XML = 'http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles'
_SHM_TRANSPORT = 'hydranet_shm'
_SEGMENT_SIZE = 64 * 1024 * 1024
_MIN_SEGMENT_SIZE = 8 * 1024 * 1024


def apply_dds_profile(shared_memory: Path = SHARED_MEMORY, *, asynchronous: bool = False) -> str:
    """
    Choose the Fast DDS profile of this process and its children; return one line describing it.

    Nothing is changed if the user has chosen a profile, transports or another middleware, or has
    set ``HYDRANET_DDS_PROFILE=off``. A path in that variable selects another profile.

    Shared memory that killed processes left is reclaimed first, so that it counts as free.

    :param asynchronous: with our profile, let a thread of Fast DDS send the messages, unless
        ``RMW_FASTRTPS_PUBLICATION_MODE`` is set: publish() then takes half as long.
    """
    if _uses_fast_dds():
        reclaim_segments(shared_memory)
    summary = _choose(shared_memory)
    if asynchronous and os.environ.get(CHOSEN):
        os.environ.setdefault(PUBLICATION_MODE, 'ASYNCHRONOUS')
    return summary


def _uses_fast_dds() -> bool:
    return os.environ.get('RMW_IMPLEMENTATION', 'rmw_fastrtps_cpp').startswith('rmw_fastrtps')


def _choose(shared_memory: Path) -> str:
    requested = os.environ.get(SWITCH, 'default')
    if os.environ.get(CHOSEN):
        return os.environ[CHOSEN]
    if requested == 'off':
        return f'DDS profile: none ({SWITCH}=off)'
    if not _uses_fast_dds():
        return f'DDS profile: none, the middleware is {os.environ["RMW_IMPLEMENTATION"]}'
    for name in (*VARIABLES, TRANSPORTS):
        if os.environ.get(name):
            return f'DDS profile: set by the user ({name}={os.environ[name]})'
    if requested != 'default':
        return _use(Path(requested), f'DDS profile: {requested}')
    free = free_bytes(shared_memory)
    size = segment_size(free)
    if size == _SEGMENT_SIZE:
        return _use(config_file('fastdds.xml'), 'DDS profile: shared memory in segments of 64 MiB')
    transport = (
        f'shared memory in segments of {size >> 20} MiB' if size
        else 'UDP with larger socket buffers, slower for clouds'
    )  # fmt: skip
    return _use(
        _temporary_file(profile_text(size)),
        f'DDS profile: {transport}, because {shared_memory} has only {free >> 20} MiB free (in '
        'Docker, --shm-size=1g makes it larger)',
    )


def profile_text(segment: int) -> str:
    """
    Return the profile of ``config/fastdds.xml`` for another segment size.

    :param segment: bytes; 0 for a profile without shared memory.
    """
    profile = config_file('fastdds.xml')
    if not segment:
        return _without_shared_memory(profile)
    return profile.read_text(encoding='utf-8').replace(str(_SEGMENT_SIZE), str(segment))


def segment_size(free: int) -> int:
    """
    Return the segment size in bytes for ``free`` bytes of shared memory; 0 for too little.

    A quarter is used, because other processes need segments, too, and Fast DDS allocates the
    whole segment at once. If a publisher's segment is smaller than a message, best-effort
    subscribers lose most messages.
    """
    size = min(_SEGMENT_SIZE, max(_MIN_SEGMENT_SIZE, (free // 4) >> 20 << 20))
    return size if free >= 2 * size else 0


def _use(profile: Path, summary: str) -> str:
    os.environ[_profile_variable()] = str(profile)
    os.environ[CHOSEN] = summary
    return summary


def _profile_variable() -> str:
    """Return the variable that this Fast DDS reads; version 3 renamed it and warns of the old."""
    distro = os.environ.get('ROS_DISTRO', '')
    if distro:
        return VARIABLES[distro in _FAST_DDS_2]
    try:
        return VARIABLES[metadata.version('ros-fastdds').startswith('2.')]
    except metadata.PackageNotFoundError:
        return VARIABLES[0]


def _without_shared_memory(profile: Path) -> str:
    """Return the profile without shared memory; Humble accepts socket sizes only as XML."""
    ElementTree.register_namespace('', _XML)
    root = ElementTree.parse(profile).getroot()
    for parent in root.iter():
        for child in list(parent):
            if child.findtext(f'{{{_XML}}}type') == 'SHM' or child.text == _SHM_TRANSPORT:
                parent.remove(child)
    return ElementTree.tostring(root, encoding='unicode')


def _temporary_file(text: str) -> Path:
    """Write a profile to a file that is removed when this process ends; return its path."""
    with tempfile.NamedTemporaryFile(
        'w', prefix='hydranet_fastdds_', suffix='.xml', delete=False, encoding='utf-8'
    ) as handle:
        handle.write(text)
    atexit.register(Path(handle.name).unlink, missing_ok=True)
    return Path(handle.name)
