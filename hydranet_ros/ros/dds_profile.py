"""
A process fit for large messages: the Fast DDS profile and glibc's allocator.

With Fast DDS' own settings a cloud of 7 MB takes about ten times longer, and a best-effort
subscriber does not get it at all. What is set here takes effect for participants made afterwards,
so it is called before ``rclpy.init``.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import tempfile
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from xml.etree import ElementTree

from hydranet_ros.resources import config_file
from hydranet_ros.ros.shared_memory import SHARED_MEMORY, free_bytes, reclaim_segments

SWITCH = 'HYDRANET_DDS_PROFILE'
# Told to child processes, which would take the parent's choice for the user's.
CHOSEN = '_HYDRANET_DDS_CHOSEN'
VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
_FAST_DDS_2 = ('humble', 'iron', 'jazzy')
TRANSPORTS = 'FASTDDS_BUILTIN_TRANSPORTS'
PUBLICATION_MODE = 'RMW_FASTRTPS_PUBLICATION_MODE'
_XML = 'http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles'
_SHM_TRANSPORT = 'hydranet_shm'
_SEGMENT = 64 * 1024 * 1024
_SMALLEST_SEGMENT = 8 * 1024 * 1024
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEEP_BLOCKS_BELOW = 256 * 1024 * 1024


def apply_dds_profile(shared_memory: Path = SHARED_MEMORY, *, asynchronous: bool = False) -> str:
    """
    Choose the Fast DDS profile for this process and its children; return one line that says which.

    Nothing is changed where the user has chosen a profile or transports of their own, another
    middleware, or ``HYDRANET_DDS_PROFILE=off``. A path in that variable names another profile.

    What killed processes left in shared memory is reclaimed first, so that it counts as free.

    :param asynchronous: with our profile, let a thread of Fast DDS send what is published, unless
        ``RMW_FASTRTPS_PUBLICATION_MODE`` says otherwise: publish() takes half as long.
    """
    if _fast_dds_is_used():
        reclaim_segments(shared_memory)
    said = _choose(shared_memory)
    if asynchronous and os.environ.get(CHOSEN):
        os.environ.setdefault(PUBLICATION_MODE, 'ASYNCHRONOUS')
    return said


def _fast_dds_is_used() -> bool:
    return os.environ.get('RMW_IMPLEMENTATION', 'rmw_fastrtps_cpp').startswith('rmw_fastrtps')


def _choose(shared_memory: Path) -> str:
    wanted = os.environ.get(SWITCH, 'default')
    if os.environ.get(CHOSEN):
        return os.environ[CHOSEN]
    if wanted == 'off':
        return f'DDS profile: switched off ({SWITCH}=off)'
    if not _fast_dds_is_used():
        return f'DDS profile: left alone, the middleware is {os.environ["RMW_IMPLEMENTATION"]}'
    for name in (*VARIABLES, TRANSPORTS):
        if os.environ.get(name):
            return f"DDS profile: the user's own ({name}={os.environ[name]})"
    if wanted != 'default':
        return _use(Path(wanted), f'DDS profile: {wanted}')
    profile = config_file('fastdds.xml')
    free = free_bytes(shared_memory)
    segment = _segment(free)
    if segment == _SEGMENT:
        return _use(profile, 'DDS profile: shared memory, segments of 64 MiB')
    little = f'DDS profile: {shared_memory} has only {free >> 20} MiB free; '
    cure = '(docker run --shm-size=1g gives room)'
    said = (
        f'shared memory in segments of {segment >> 20} MiB' if segment
        else 'UDP with larger sockets, slower for clouds'
    )  # fmt: skip
    return _use(_written(profile_text(segment)), f'{little}{said} {cure}')


def profile_text(segment: int) -> str:
    """Return the shipped profile with segments of so many bytes; 0: without shared memory."""
    profile = config_file('fastdds.xml')
    if not segment:
        return _udp_only(profile)
    return profile.read_text(encoding='utf-8').replace(str(_SEGMENT), str(segment))


def _segment(free: int) -> int:
    """
    Return the bytes of a segment where ``free`` bytes are left; 0: do without shared memory.

    A quarter, as other processes want one too; Fast DDS takes all of it at once. A publisher whose
    segment is smaller than a message loses most of them to best-effort subscribers.
    """
    segment = min(_SEGMENT, max(_SMALLEST_SEGMENT, (free // 4) >> 20 << 20))
    return segment if free >= 2 * segment else 0


def _use(profile: Path, said: str) -> str:
    os.environ[_profile_variable()] = str(profile)
    os.environ[CHOSEN] = said
    return said


def _profile_variable() -> str:
    """Return the name Fast DDS knows: it changed with version 3, which warns about the old one."""
    distro = os.environ.get('ROS_DISTRO', '')
    if distro:
        return VARIABLES[distro in _FAST_DDS_2]
    try:
        return VARIABLES[metadata.version('ros-fastdds').startswith('2.')]
    except metadata.PackageNotFoundError:
        return VARIABLES[0]


def _udp_only(profile: Path) -> str:
    """Return the profile without shared memory; sockets by XML, as Humble knows no other way."""
    ElementTree.register_namespace('', _XML)
    root = ElementTree.parse(profile).getroot()
    for parent in root.iter():
        for child in list(parent):
            if child.findtext(f'{{{_XML}}}type') == 'SHM' or child.text == _SHM_TRANSPORT:
                parent.remove(child)
    return ElementTree.tostring(root, encoding='unicode')


def _written(text: str) -> Path:
    """Return a file that holds a profile until this process ends."""
    with tempfile.NamedTemporaryFile(
        'w', prefix='hydranet_fastdds_', suffix='.xml', delete=False, encoding='utf-8'
    ) as handle:
        handle.write(text)
    atexit.register(Path(handle.name).unlink, missing_ok=True)
    return Path(handle.name)


def keep_large_blocks() -> None:
    """
    Tell glibc to keep freed blocks of an image's size instead of returning them to the kernel.

    Otherwise each message that is taken is mapped and page-faulted anew, which costs several
    times the copy itself. Without glibc nothing happens.
    """
    try:
        libc = ctypes.CDLL('libc.so.6')
        libc.mallopt(_M_MMAP_THRESHOLD, _KEEP_BLOCKS_BELOW)
        libc.mallopt(_M_TRIM_THRESHOLD, 2 * _KEEP_BLOCKS_BELOW - 1)
    except (OSError, AttributeError):
        pass


def give_back_memory() -> None:
    """Return to the kernel what loading has freed; :func:`keep_large_blocks` would keep it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL('libc.so.6').malloc_trim(0)
