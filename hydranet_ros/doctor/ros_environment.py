"""
Checks of ROS 2: the distribution, rclpy, messages, middleware, Fast DDS profile, shared memory.

rclpy is looked up and not imported: its wheels restart the interpreter on import.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata, util
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from hydranet_ros.doctor.checks import Check, Status
from hydranet_ros.ros.dds_profile import apply_dds_profile
from hydranet_ros.ros.shared_memory import SHARED_MEMORY, free_bytes, shared_memory_problem

SECTION = 'ROS 2'
DEFAULT_MIDDLEWARE = 'rmw_fastrtps_cpp'
NEEDED_MESSAGES = ('sensor_msgs', 'std_msgs', 'diagnostic_msgs', 'lifecycle_msgs')
_WHEEL = 'ros-rclpy'
_EXTENSION = '_rclpy_pybind11'
_MIB = 1 << 20
_INSTALL = (
    "The node needs it: source /opt/ros/DISTRO/setup.bash, or pip install 'hydranet_ros[ros]'. "
    'predict and bag work without it.'
)


def ros_checks() -> Iterator[Check]:
    """Yield the checks of Python and ROS 2."""
    yield check_python()
    rclpy = check_rclpy()
    yield rclpy
    if rclpy.status in (Status.OK, Status.WARNING):
        yield check_messages()
        yield check_middleware()
        yield check_profile()
        yield check_shared_memory()


def check_python() -> Check:
    """Return the version and the place of the interpreter."""
    text = f'{platform.python_version()}, {sys.executable}'
    facts = {'version': platform.python_version(), 'executable': sys.executable,
             'virtual_environment': sys.prefix != sys.base_prefix}  # fmt: skip
    return Check(SECTION, 'Python', Status.OK, text, facts=facts)


def check_rclpy() -> Check:
    """Return the ROS distribution and where rclpy comes from."""
    distribution = os.environ.get('ROS_DISTRO', '')
    folder = _package_folder('rclpy')
    wheel = _version(_WHEEL)
    facts = {'distribution': distribution, 'rclpy': str(folder or ''), 'wheel': wheel,
             'ament_prefix_path': os.environ.get('AMENT_PREFIX_PATH', '')}  # fmt: skip
    if folder is None:
        if not distribution:
            return Check(SECTION, 'rclpy', Status.NONE, 'not installed', _INSTALL, facts)
        return Check(
            SECTION, 'rclpy', Status.FAIL,
            f'ROS 2 {distribution} is sourced, but Python {_python()} does not find rclpy',
            'Use the Python of the ROS distribution, in a virtual environment made with '
            '--system-site-packages.', facts,
        )  # fmt: skip
    origin = _origin(folder, distribution, wheel)
    if not _extension_fits(folder):
        return Check(
            SECTION, 'rclpy', Status.FAIL, f'{origin} is not built for Python {_python()}',
            'Use the Python version of this rclpy, or install rclpy for this Python.', facts,
        )  # fmt: skip
    if distribution and wheel:
        return Check(
            SECTION, 'rclpy', Status.WARNING,
            f'{origin}; ROS 2 {distribution} is sourced and the wheel {_WHEEL} is installed',
            f'Do not combine both: uninstall the wheels (pip uninstall {_WHEEL}), or do not '
            'source ROS 2.', facts,
        )  # fmt: skip
    return Check(SECTION, 'rclpy', Status.OK, origin, facts=facts)


def check_messages() -> Check:
    """Return whether the message packages of the node are installed."""
    missing = [name for name in NEEDED_MESSAGES if _package_folder(name) is None]
    optional = '' if _package_folder('vision_msgs') else '; without vision_msgs no label_info'
    facts = {'missing': missing, 'vision_msgs': not optional}
    if missing:
        distribution = os.environ.get('ROS_DISTRO', '')
        packages = ' '.join(f'ros-{distribution}-{name.replace("_", "-")}' for name in missing)
        remedy = f'apt install {packages}' if distribution else "pip install 'hydranet_ros[ros]'"
        return Check(
            SECTION, 'messages', Status.FAIL, f'missing: {", ".join(missing)}', remedy, facts
        )
    return Check(SECTION, 'messages', Status.OK, f'complete{optional}', facts=facts)


def check_middleware() -> Check:
    """Return the middleware that rclpy loads."""
    chosen = os.environ.get('RMW_IMPLEMENTATION', '')
    name = chosen or DEFAULT_MIDDLEWARE
    found = _find_library(f'lib{name}.so')
    text = f'{name} ({"RMW_IMPLEMENTATION" if chosen else "default"})'
    facts = {'name': name, 'from_environment': bool(chosen), 'library': str(found or '')}
    if found is None and chosen:
        return Check(
            SECTION, 'middleware', Status.FAIL, f'{text} is not installed',
            f'Install it (apt install ros-DISTRO-{name.replace("_", "-")}), or unset '
            'RMW_IMPLEMENTATION.', facts,
        )  # fmt: skip
    return Check(SECTION, 'middleware', Status.OK, text, facts=facts)


def check_profile() -> Check:
    """Return the Fast DDS profile that the node would use."""
    with _restored_environment():
        summary = apply_dds_profile()
    text = summary.removeprefix('DDS profile: ')
    slow = 'UDP' in text
    return Check(SECTION, 'DDS profile', Status.WARNING if slow else Status.OK, text,
                 facts={'summary': text})  # fmt: skip


def check_shared_memory(folder: Path = SHARED_MEMORY) -> Check:
    """Return size and free space of the shared memory."""
    problem = shared_memory_problem(folder)
    free, size = free_bytes(folder), _size_of_file_system(folder)
    facts = {'folder': str(folder), 'size_bytes': size, 'free_bytes': free}
    if problem:
        return Check(SECTION, str(folder), Status.FAIL, problem, facts=facts)
    text = f'{free // _MIB} MiB free of {size // _MIB} MiB'
    return Check(SECTION, str(folder), Status.OK, text, facts=facts)


def _package_folder(name: str) -> Path | None:
    """Return the folder of an installed package without importing it."""
    try:
        spec = util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _origin(folder: Path, distribution: str, wheel: str) -> str:
    for prefix in filter(None, os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)):
        if folder.is_relative_to(prefix):
            return f'ROS 2 {distribution or "?"} in {prefix}'
    if wheel:
        return f'wheel {_WHEEL} {wheel}{_name_of_wheels()} in {folder.parent}'
    return f'{folder}'


def _name_of_wheels() -> str:
    """Return the distribution that wheels of this version belong to."""
    names = {'7': 'Jazzy', '9': 'Kilted'}
    name = names.get(_version(_WHEEL).split('.')[0], '')
    return f' ({name})' if name else ''


def _extension_fits(folder: Path) -> bool:
    """Return whether rclpy's extension is built for this Python; true if it is not found."""
    built = {path.name for path in folder.glob(f'{_EXTENSION}*.so')}
    return not built or any(f'{_EXTENSION}{suffix}' in built for suffix in EXTENSION_SUFFIXES)


def _find_library(name: str) -> Path | None:
    prefixes = [*os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep), sys.prefix]
    folders = [Path(prefix, 'lib') for prefix in prefixes if prefix]
    folders += [Path(item) for item in os.environ.get('LD_LIBRARY_PATH', '').split(os.pathsep)]
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _size_of_file_system(folder: Path) -> int:
    try:
        state = os.statvfs(folder)
    except OSError:
        return 0
    return state.f_blocks * state.f_frsize


@contextmanager
def _restored_environment() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ''


def _python() -> str:
    return f'{sys.version_info.major}.{sys.version_info.minor}'
