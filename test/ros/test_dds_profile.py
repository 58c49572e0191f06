"""The DDS profile is chosen unless the user has chosen one."""

from __future__ import annotations

import atexit
import os
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from hydranet_ros.ros import dds_profile as profile
from hydranet_ros.ros import shared_memory
from hydranet_ros.ros.dds_profile import SWITCH, apply_dds_profile, profile_text, segment_size

MIB = 1 << 20
FILES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
TRANSPORTS = 'FASTDDS_BUILTIN_TRANSPORTS'
MODE = 'RMW_FASTRTPS_PUBLICATION_MODE'
VARIABLES = (
    *FILES, TRANSPORTS, MODE, 'RMW_IMPLEMENTATION', 'ROS_DISTRO', SWITCH, profile.CHOSEN,
)  # fmt: skip


@pytest.fixture
def environment(monkeypatch):
    """Start with nothing chosen, and restore the environment at the end."""
    for name in VARIABLES:
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)
    return monkeypatch


def chosen() -> str:
    return next((os.environ[name] for name in FILES if name in os.environ), '')


def set_free(monkeypatch, free: int) -> None:
    """Let every file system have ``free`` bytes left."""
    state = SimpleNamespace(f_bavail=free // 4096, f_frsize=4096)
    monkeypatch.setattr(shared_memory.os, 'statvfs', lambda folder: state)


def test_with_enough_shared_memory_the_included_profile_is_used(environment):
    set_free(environment, 1024 * MIB)
    assert apply_dds_profile() == 'DDS profile: shared memory in segments of 64 MiB'
    assert Path(chosen()) == ROOT / 'config' / 'fastdds.xml'
    assert MODE not in os.environ


@pytest.mark.parametrize('child', [False, True])
def test_the_node_publishes_asynchronously(environment, child):
    """Also as a child of a process that chose the profile, such as a launch file's."""
    set_free(environment, 1024 * MIB)
    if child:
        apply_dds_profile()
    assert '64 MiB' in apply_dds_profile(asynchronous=True)
    assert os.environ[MODE] == 'ASYNCHRONOUS'


@pytest.mark.parametrize(('name', 'value'), [(MODE, 'SYNCHRONOUS'), (SWITCH, 'off')])
def test_the_users_publication_mode_is_kept(environment, name, value):
    set_free(environment, 1024 * MIB)
    environment.setenv(name, value)
    before = os.environ.get(MODE)
    apply_dds_profile(asynchronous=True)
    assert os.environ.get(MODE) == before


@pytest.mark.parametrize(
    ('name', 'value', 'summary'),
    [
        (FILES[0], '/mine.xml', f'set by the user ({FILES[0]}=/mine.xml)'),
        (FILES[1], '/mine.xml', f'set by the user ({FILES[1]}=/mine.xml)'),
        (TRANSPORTS, 'UDPv4', f'set by the user ({TRANSPORTS}=UDPv4)'),
        ('RMW_IMPLEMENTATION', 'rmw_cyclonedds_cpp',
         'none, the middleware is rmw_cyclonedds_cpp'),
        (SWITCH, 'off', f'none ({SWITCH}=off)'),
    ],
)  # fmt: skip
def test_a_choice_of_the_user_is_kept_and_reported(environment, name, value, summary):
    set_free(environment, 1024 * MIB)
    environment.setenv(name, value)
    before = dict(os.environ)
    assert apply_dds_profile() == f'DDS profile: {summary}'
    assert dict(os.environ) == before


@pytest.mark.parametrize('middleware', ['rmw_fastrtps_cpp', 'rmw_fastrtps_dynamic_cpp'])
def test_every_middleware_of_fast_dds_gets_the_profile(environment, middleware):
    set_free(environment, 1024 * MIB)
    environment.setenv('RMW_IMPLEMENTATION', middleware)
    assert '64 MiB' in apply_dds_profile()


@pytest.mark.parametrize('path', ['/somewhere/else.xml', 'mine.xml', 'zed.xml'])
def test_the_switch_selects_another_profile(environment, path):
    environment.setenv(SWITCH, path)
    assert apply_dds_profile() == f'DDS profile: {path}'
    assert chosen() == path


@pytest.mark.parametrize('middleware', ['rmw_fastrtps_cpp', 'rmw_cyclonedds_cpp'])
def test_only_a_user_of_fast_dds_reclaims_its_segments(environment, tmp_path, middleware):
    environment.setenv('RMW_IMPLEMENTATION', middleware)
    for name in ('fastdds_0123456789abcdef', 'fastdds_0123456789abcdef_el'):
        (tmp_path / name).write_bytes(bytes(4096))
    apply_dds_profile(tmp_path)
    assert bool(list(tmp_path.iterdir())) == (middleware == 'rmw_cyclonedds_cpp')


@pytest.mark.parametrize(('free', 'segment'), [(255, 63), (128, 32), (64, 16), (40, 10), (16, 8)])
def test_a_small_shared_memory_gets_smaller_segments(environment, free, segment):
    """As in a container of Docker."""
    set_free(environment, free * MIB)
    assert apply_dds_profile() == (
        f'DDS profile: shared memory in segments of {segment} MiB, because /dev/shm has only '
        f'{free} MiB free (in Docker, --shm-size=1g makes it larger)'
    )
    text = Path(chosen()).read_text()
    assert text.count(f'>{segment * MIB}<') == 2 and str(64 * MIB) not in text


@pytest.mark.parametrize(
    ('free', 'segment'),
    [
        (0, 0), (16 * MIB - 1, 0), (16 * MIB, 8 * MIB), (33 * MIB, 8 * MIB),
        (36 * MIB - 1, 8 * MIB), (36 * MIB, 9 * MIB), (255 * MIB, 63 * MIB),
        (256 * MIB, 64 * MIB), (10**12, 64 * MIB),
    ],
)  # fmt: skip
def test_a_segment_is_a_quarter_of_the_free_memory_in_whole_mebibytes(free, segment):
    assert segment_size(free) == segment


@given(free=st.integers(0, 10**12))
def test_a_segment_leaves_at_least_its_own_size_free(free):
    segment = segment_size(free)
    assert 2 * segment <= free
    assert segment == 0 or 8 * MIB <= segment <= 64 * MIB
    assert segment or free < 16 * MIB


def test_without_shared_memory_udp_gets_larger_socket_buffers(environment):
    assert apply_dds_profile(Path('/proc')) == (
        'DDS profile: UDP with larger socket buffers, slower for clouds, because /proc has only 0 '
        'MiB free (in Docker, --shm-size=1g makes it larger)'
    )
    assert Path(chosen()).read_text() == profile_text(0)


def test_the_profile_without_shared_memory_has_only_udp():
    text = profile_text(0)
    assert text.count('UDPv4') == 1 and text.count('hydranet_udp') == 2
    assert 'SHM' not in text and 'hydranet_shm' not in text
    assert '<sendBufferSize>4194304<' in text
    assert text.startswith('<dds xmlns="http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles">')


def test_the_file_of_a_profile_is_removed_when_the_process_ends(environment, monkeypatch):
    registered = []
    monkeypatch.setattr(atexit, 'register', lambda *call, **options: registered.append(
        (call, options)))  # fmt: skip
    set_free(environment, 64 * MIB)
    apply_dds_profile()
    path = Path(chosen())
    assert path.name.startswith('hydranet_fastdds_') and path.suffix == '.xml'
    ((function, *arguments), options), = registered  # fmt: skip
    function(*arguments, **options)
    assert not path.exists()
    function(*arguments, **options)


def test_a_child_process_keeps_and_repeats_the_choice(environment):
    set_free(environment, 1024 * MIB)
    summary = apply_dds_profile()
    before = dict(os.environ)
    set_free(environment, 0)
    assert apply_dds_profile() == summary
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ('distro', 'name'),
    [('humble', FILES[1]), ('iron', FILES[1]), ('jazzy', FILES[1]), ('kilted', FILES[0]),
     ('lyrical', FILES[0])],
)  # fmt: skip
def test_the_variable_is_the_one_that_the_distributions_fast_dds_reads(environment, distro, name):
    set_free(environment, 1024 * MIB)
    environment.setenv('ROS_DISTRO', distro)
    apply_dds_profile()
    assert [item for item in FILES if item in os.environ] == [name]


@pytest.mark.parametrize(
    ('version', 'name'), [('2.14.4', FILES[1]), ('3.2.2', FILES[0]), (None, FILES[0])]
)
def test_the_variable_is_the_one_that_the_wheels_fast_dds_reads(environment, version, name):
    def installed(package):
        if version is None:
            raise metadata.PackageNotFoundError(package)
        return {'ros-fastdds': version}[package]

    environment.setattr(profile.metadata, 'version', installed)
    set_free(environment, 1024 * MIB)
    apply_dds_profile()
    assert [item for item in FILES if item in os.environ] == [name]
