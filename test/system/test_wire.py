"""Large messages arrive with the DDS profile: from and to default nodes, UDP, other vendors."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import ROOT, TIMEOUT

from hydranet_ros.ros.dds_profile import (
    CHOSEN,
    PUBLICATION_MODE,
    SWITCH,
    TRANSPORTS,
    VARIABLES,
)
from hydranet_ros.ros.shared_memory import SHARED_MEMORY, free_bytes

MIB = 1 << 20
SCRIPT = ROOT / 'test' / 'cloud_process.py'
SIZE = 7_452_000
OURS: Mapping[str, str] = {SWITCH: 'default'}
STOCK: Mapping[str, str] = {SWITCH: 'off'}
UDP_ONLY: Mapping[str, str] = {SWITCH: 'off', TRANSPORTS: 'UDPv4'}


def environment(domain: int, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a process whose Fast DDS settings are only the given ones."""
    removed = (*VARIABLES, TRANSPORTS, PUBLICATION_MODE, CHOSEN)
    kept = {name: value for name, value in os.environ.items() if name not in removed}
    return {
        **kept, 'ROS_DOMAIN_ID': str(domain), 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        **settings,
    }  # fmt: skip


class Cloud:
    """A process that publishes or receives clouds."""

    def __init__(self, arguments: list[str], variables: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open('w') as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT), *arguments], env=variables, cwd=ROOT,
                stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip
        self.profile = self.line()

    def line(self) -> str:
        """Return the next line of the output; kill a process that writes none in time."""
        timer = threading.Timer(TIMEOUT, self.process.kill)
        timer.start()
        try:
            line = self.process.stdout.readline()
        finally:
            timer.cancel()
        assert line, f'no line within {TIMEOUT} s: {self.errors()}'
        return line.strip()

    def errors(self) -> str:
        return self._log.read_text()

    def largest_segment(self) -> int:
        """Return the bytes of the largest file of Fast DDS in shared memory."""
        maps = Path(f'/proc/{self.process.pid}/maps').read_text().splitlines()
        paths = {Path(line.split()[-1]) for line in maps if '/dev/shm/fast' in line}
        return max((path.stat().st_size for path in paths if path.exists()), default=0)

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def cloud(domain_id: int, tmp_path: Path) -> Iterator:
    """Return a function that starts a cloud process on the test's domain."""
    running: list[Cloud] = []

    def start(settings: Mapping[str, str], *arguments: object) -> Cloud:
        made = Cloud(
            list(map(str, arguments)), environment(domain_id, settings),
            tmp_path / f'{len(running)}.log',
        )  # fmt: skip
        running.append(made)
        return made

    yield start
    for item in running:
        item.end()


def assert_arrival(publisher: Cloud, receivers: list[Cloud]) -> None:
    checksum = publisher.line()
    for receiver in receivers:
        assert receiver.line() == f'{SIZE} {checksum}', receiver.errors()


@pytest.mark.parametrize(
    ('sender', 'receivers'),
    [(OURS, (OURS, STOCK, UDP_ONLY)), (STOCK, (OURS,)), (UDP_ONLY, (OURS,))],
    ids=['ours to all', 'stock to ours', 'UDP only to ours'],
)
def test_a_large_cloud_arrives_whole_whatever_transports_the_other_side_has(
    cloud, sender, receivers
):
    subscribers = [cloud(settings, 'receive', 'reliable') for settings in receivers]
    publisher = cloud(sender, 'publish', len(subscribers))
    assert_arrival(publisher, subscribers)


def test_a_large_cloud_reaches_a_best_effort_subscriber_through_a_large_segment(cloud):
    """With the default settings of Fast DDS none arrives."""
    if free_bytes(SHARED_MEMORY) < 4 * 64 * MIB:
        pytest.skip(f'{SHARED_MEMORY} has no room for segments of 64 MiB')
    subscriber = cloud(OURS, 'receive', 'best_effort')
    publisher = cloud(OURS, 'publish', 1)
    assert_arrival(publisher, [subscriber])
    assert publisher.largest_segment() >= 64 * MIB
    for process in (publisher, subscriber):
        assert process.profile == 'DDS profile: shared memory in segments of 64 MiB'
        assert process.errors() == '', 'Fast DDS accepts the profile'


IN_CONTAINER = """
import sys
import test_wire
from conftest import ROOT
from hydranet_ros.ros.domains import free_domain
from pathlib import Path
with free_domain() as domain:
    variables = test_wire.environment(domain, test_wire.OURS)
    folder = Path(sys.argv[1])
    subscriber = test_wire.Cloud(['receive', 'reliable'], variables, folder / 'subscriber.log')
    publisher = test_wire.Cloud(['publish', '1'], variables, folder / 'publisher.log')
    try:
        test_wire.assert_arrival(publisher, [subscriber])
        for process in (publisher, subscriber):
            assert process.errors() == ''
            print(process.profile)
    finally:
        publisher.end(), subscriber.end()
"""


def in_small_shared_memory(mebibytes: int, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command where /dev/shm is a file system of its own, as small as in a container."""
    mount = f'mount -t tmpfs -o size={mebibytes}m tmpfs /dev/shm && exec "$@"'
    path = os.pathsep.join([str(ROOT), str(ROOT / 'test'), str(ROOT / 'test' / 'system')])
    return subprocess.run(
        ['unshare', '-m', 'sh', '-c', mount, 'sh', *command],
        capture_output=True, text=True, timeout=4 * TIMEOUT, cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': path},
    )  # fmt: skip


@pytest.fixture(scope='module')
def _may_mount() -> None:
    try:
        done = in_small_shared_memory(8, 'true')
    except OSError as err:
        pytest.skip(f'unshare is not installed: {err}')
    if done.returncode:
        pytest.skip(f'this user may not mount: {done.stderr.strip()}')


@pytest.mark.usefixtures('_may_mount')
@pytest.mark.parametrize(
    ('mebibytes', 'summary'),
    [(64, 'shared memory in segments of'), (8, 'UDP with larger socket buffers')],
    ids=['Docker', 'almost none'],
)
def test_a_large_cloud_arrives_with_a_small_shared_memory(tmp_path, mebibytes, summary):
    done = in_small_shared_memory(mebibytes, sys.executable, '-c', IN_CONTAINER, str(tmp_path))
    assert done.returncode == 0, done.stderr
    profiles = done.stdout.splitlines()
    assert len(profiles) == 2
    assert all(line.startswith(f'DDS profile: {summary}') for line in profiles), profiles


def profile_without_type_objects(folder: Path) -> Path:
    """
    Return the included profile with type propagation disabled.

    CycloneDDS for Python refuses the type objects of Fast DDS 3 whatever the transports are; this
    test is about the transports.
    """
    text = (ROOT / 'config' / 'fastdds.xml').read_text()
    mark = '<useBuiltinTransports>false</useBuiltinTransports>'
    assert mark in text
    path = folder / 'profile.xml'
    path.write_text(text.replace(mark, (
        f'{mark}<propertiesPolicy><properties><property><name>fastdds.type_propagation</name>'
        '<value>disabled</value></property></properties></propertiesPolicy>'
    )))  # fmt: skip
    return path


CYCLONE = """
import sys, time
from dataclasses import dataclass
from cyclonedds.core import Policy, Qos
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import int32, sequence, uint8, uint32
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

@dataclass
class Time(IdlStruct, typename='builtin_interfaces.msg.dds_.Time_'):
    sec: int32
    nanosec: uint32

@dataclass
class Header(IdlStruct, typename='std_msgs.msg.dds_.Header_'):
    stamp: Time
    frame_id: str

@dataclass
class Image(IdlStruct, typename='sensor_msgs.msg.dds_.Image_'):
    header: Header
    height: uint32
    width: uint32
    encoding: str
    is_bigendian: uint8
    step: uint32
    data: sequence[uint8]

participant = DomainParticipant(int(sys.argv[1]))
qos = Qos(Policy.Reliability.Reliable(duration(seconds=1)), Policy.History.KeepLast(5),
          Policy.DataRepresentation(use_cdrv0_representation=True))
reader = DataReader(participant, Topic(participant, 'rt/there', Image), qos=qos)
writer = DataWriter(participant, Topic(participant, 'rt/back', Image), qos=qos)
while True:
    for image in reader.take(1):
        writer.write(image)
    time.sleep(0.02)
"""
ECHO = """
import sys, time
from array import array
import numpy as np
from hydranet_ros.ros.dds_profile import apply_dds_profile
apply_dds_profile()
import rclpy
from sensor_msgs.msg import Image
rclpy.init()
node, received = rclpy.create_node('sender'), []
node.create_subscription(Image, 'back', received.append, 5)
publisher = node.create_publisher(Image, 'there', 5)
data = array('B', np.random.default_rng(0).integers(0, 256, 921600, np.uint8).tobytes())
message = Image(height=480, width=640, step=1920, encoding='rgb8', data=data)
until = time.monotonic() + 60
while not received and time.monotonic() < until:
    if publisher.get_subscription_count():
        publisher.publish(message)
    rclpy.spin_once(node, timeout_sec=0.2)
print(bool(received) and received[0] == message)
"""


def test_an_image_reaches_a_node_of_another_vendor_and_returns(domain_id, tmp_path):
    """A CycloneDDS process returns what it receives; it cannot use Fast DDS's shared memory."""
    pytest.importorskip(
        'cyclonedds', reason='cyclonedds is not installed (pip install cyclonedds)'
    )
    profile = profile_without_type_objects(tmp_path)
    # Two vendors discover each other by multicast, which the range LOCALHOST does not use.
    variables = environment(
        domain_id, {SWITCH: str(profile), 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET'}
    )
    with subprocess.Popen([sys.executable, '-c', CYCLONE, str(domain_id)], env=variables) as other:
        try:
            done = subprocess.run(
                [sys.executable, '-c', ECHO], env=variables, cwd=ROOT, capture_output=True,
                text=True, timeout=2 * TIMEOUT,
            )  # fmt: skip
        finally:
            other.kill()
    assert done.stdout.strip() == 'True', done.stderr
