"""The DDS profile: chosen for those who chose nothing, and really in use by Fast DDS."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from hydranet_ros.ros import dds_profile as profile
from hydranet_ros.ros.dds_profile import SWITCH, apply_dds_profile
from hydranet_ros.ros.shared_memory import free_bytes

MIB = 1 << 20
FILES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
TRANSPORTS = 'FASTDDS_BUILTIN_TRANSPORTS'
MODE = 'RMW_FASTRTPS_PUBLICATION_MODE'
VARIABLES = (
    *FILES, TRANSPORTS, MODE, 'RMW_IMPLEMENTATION', 'ROS_DISTRO', SWITCH, profile.CHOSEN,
)  # fmt: skip


@pytest.fixture
def environment(monkeypatch):
    """Start with nothing chosen; whatever is set is undone at the end."""
    for name in VARIABLES:
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)
    return monkeypatch


def chosen() -> str:
    return next((os.environ[name] for name in FILES if name in os.environ), '')


def with_free(monkeypatch, free: int) -> None:
    state = SimpleNamespace(f_bavail=free // 4096, f_frsize=4096)
    monkeypatch.setattr(profile.os, 'statvfs', lambda folder: state)


def test_with_room_in_shared_memory_the_shipped_profile_is_used(environment):
    with_free(environment, 1024 * MIB)
    assert '64 MiB' in apply_dds_profile()
    assert Path(chosen()) == ROOT / 'config' / 'fastdds.xml'
    assert MODE not in os.environ


@pytest.mark.parametrize('child', [False, True])
def test_the_node_publishes_asynchronously(environment, child):
    """As a child of a process that chose the profile, such as a launch file's, too."""
    with_free(environment, 1024 * MIB)
    if child:
        apply_dds_profile()
    said = apply_dds_profile(asynchronous=True)
    assert '64 MiB' in said and os.environ[MODE] == 'ASYNCHRONOUS'


@pytest.mark.parametrize(('name', 'value'), [(MODE, 'SYNCHRONOUS'), (SWITCH, 'off')])
def test_the_users_way_of_publishing_stays(environment, name, value):
    with_free(environment, 1024 * MIB)
    environment.setenv(name, value)
    before = os.environ.get(MODE)
    apply_dds_profile(asynchronous=True)
    assert os.environ.get(MODE) == before


@pytest.mark.parametrize(
    ('name', 'value'),
    [(FILES[0], '/mine.xml'), (FILES[1], '/mine.xml'), (TRANSPORTS, 'UDPv4'),
     ('RMW_IMPLEMENTATION', 'rmw_cyclonedds_cpp'), (SWITCH, 'off')],
)  # fmt: skip
def test_what_the_user_chose_is_left_alone_and_said(environment, name, value):
    environment.setenv(name, value)
    before = dict(os.environ)
    assert value in apply_dds_profile()
    assert dict(os.environ) == before


def test_a_profile_of_the_users_by_the_switch_is_used(environment):
    environment.setenv(SWITCH, '/somewhere/else.xml')
    assert '/somewhere/else.xml' in apply_dds_profile()
    assert chosen() == '/somewhere/else.xml'


@pytest.mark.parametrize(('free', 'segment'), [(255, 63), (128, 32), (64, 16), (40, 10), (16, 8)])
def test_a_small_shared_memory_gets_smaller_segments_as_in_docker(environment, free, segment):
    with_free(environment, free * MIB)
    said = apply_dds_profile()
    assert f'only {free} MiB free' in said and f'segments of {segment} MiB' in said
    text = Path(chosen()).read_text()
    assert text.count(f'>{segment * MIB}<') == 2 and str(64 * MIB) not in text


@given(free=st.integers(0, 10**12))
def test_a_segment_always_leaves_as_much_free_as_it_takes(free):
    segment = profile.segment_size(free)
    assert 2 * segment <= free
    assert segment == 0 or 8 * MIB <= segment <= 64 * MIB
    assert segment or free < 16 * MIB, 'shared memory is used wherever it can be'


def test_without_shared_memory_udp_gets_larger_sockets(environment):
    assert '--shm-size' in apply_dds_profile(Path('/proc'))
    text = Path(chosen()).read_text()
    assert 'UDPv4' in text and 'SHM' not in text and 'hydranet_shm' not in text


def test_a_child_process_keeps_and_repeats_the_choice(environment):
    with_free(environment, 1024 * MIB)
    said = apply_dds_profile()
    before = dict(os.environ)
    assert apply_dds_profile() == said
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ('distro', 'name'), [('humble', FILES[1]), ('jazzy', FILES[1]), ('kilted', FILES[0])]
)
def test_the_variable_is_the_one_that_the_distributions_fast_dds_reads(environment, distro, name):
    with_free(environment, 1024 * MIB)
    environment.setenv('ROS_DISTRO', distro)
    apply_dds_profile()
    assert name in os.environ


SUBSCRIBER = """
import sys, time
from pathlib import Path
from hydranet_ros.ros.allocator import keep_freed_memory
from hydranet_ros.ros.dds_profile import apply_dds_profile
apply_dds_profile(Path(sys.argv[1])); keep_freed_memory()
import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import PointCloud2
rclpy.init()
node, heard = Node('hearer'), []
reliable = sys.argv[1] == '/proc'
profile = QoSProfile(depth=1, reliability=ReliabilityPolicy(1 if reliable else 2))
node.create_subscription(PointCloud2, 'cloud', lambda m: heard.append(len(m.data)), profile)
until = time.monotonic() + 20
while len(heard) < 10 and time.monotonic() < until:
    rclpy.spin_once(node, timeout_sec=0.1)
print(len(heard), set(heard), flush=True)
"""
PUBLISHER = """
import array, os, sys, time
from pathlib import Path
from hydranet_ros.ros.dds_profile import apply_dds_profile
apply_dds_profile(Path(sys.argv[1]))
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2
rclpy.init()
node = Node('sayer')
publisher = node.create_publisher(PointCloud2, 'cloud', 2)
message = PointCloud2()
message.data = array.array('B', bytes(7_452_000))
maps = {line.split()[-1] for line in open('/proc/self/maps') if '/dev/shm/fast' in line}
print(max((os.path.getsize(path) for path in maps if os.path.exists(path)), default=0), flush=True)
while not publisher.get_subscription_count():
    time.sleep(0.05)
while True:
    publisher.publish(message)
    time.sleep(0.2)
"""


@pytest.mark.parametrize(('shared', 'segment'), [('/dev/shm', 64 * MIB), ('/proc', 0)])
def test_a_large_cloud_reaches_a_subscriber(environment, domain_id, shared, segment):
    """
    Best effort over shared memory: with Fast DDS' own settings nothing of 7 MB arrives.

    Reliable where there is no shared memory: how much a socket holds is the kernel's choice.
    """
    pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')
    if shared == '/dev/shm' and free_bytes(Path(shared)) < 4 * 64 * MIB:
        pytest.skip('/dev/shm has no room for segments of 64 MiB')
    variables = {**os.environ, 'ROS_DOMAIN_ID': str(domain_id)}
    with subprocess.Popen(
        [sys.executable, '-c', PUBLISHER, shared], env=variables, cwd=ROOT,
        stdout=subprocess.PIPE, text=True,
    ) as publisher:  # fmt: skip
        try:
            heard = subprocess.run(
                [sys.executable, '-c', SUBSCRIBER, shared], env=variables, cwd=ROOT,
                capture_output=True, text=True, timeout=60,
            )  # fmt: skip
        finally:
            publisher.kill()
        size = int(publisher.stdout.readline())
    assert heard.stdout.strip() == '10 {7452000}', heard.stderr
    assert 'rror' not in heard.stderr, 'Fast DDS refuses the profile'
    assert size >= segment


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='mallopt is of glibc')
def test_large_blocks_are_not_page_faulted_anew():
    code = """
import sys, resource
import numpy as np
from hydranet_ros.ros.allocator import keep_freed_memory
if sys.argv[1] == 'keep':
    keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.empty(80 << 20, np.uint8).fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""
    counts = [
        int(subprocess.run(
            [sys.executable, '-c', code, how], capture_output=True, text=True, cwd=ROOT, check=True
        ).stdout) for how in ('stock', 'keep')
    ]  # fmt: skip
    assert counts[1] < counts[0] / 5, counts
