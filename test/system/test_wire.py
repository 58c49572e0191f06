"""The shipped Fast DDS profile among stock nodes, UDP only, other vendors, little memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import ROOT

from benchmarks.harness.processes import Process
from benchmarks.suites.ros_graph.environment import environment
from benchmarks.suites.ros_graph.transport import WORKERS
from hydranet_ros.ros.dds_profile import SWITCH, TRANSPORTS

OURS, STOCK = {'profile': True}, {'profile': False}
UDP_ONLY = {'profile': False, 'extra': {TRANSPORTS: 'UDPv4'}}


@pytest.fixture
def start(domain_id: int, tmp_path: Path) -> Iterator:
    """Return a function that starts a worker of the benchmark on the test's domain."""
    with ExitStack() as stack:

        def start(role: str, **settings) -> Process:
            number = len(list(tmp_path.glob('*.log')))
            return stack.enter_context(Process.of_module(
                WORKERS, role, environment=environment(domain_id, **settings),
                log=tmp_path / f'{number}_{role}.log',
            ))  # fmt: skip

        yield start


@pytest.mark.parametrize(
    ('sender', 'receivers'),
    [(OURS, (OURS, STOCK, UDP_ONLY)), (STOCK, (OURS,)), (UDP_ONLY, (OURS,))],
    ids=['ours to all', 'stock to ours', 'UDP only to ours'],
)
def test_a_large_cloud_arrives_whole_whatever_transports_the_other_side_has(
    start, sender, receivers
):
    hearers = [start('cloud-subscriber', **settings) for settings in receivers]
    sayer = start('cloud-publisher', **sender)
    for hearer in hearers:
        hearer.next_event()
    sayer.send('match', len(hearers))
    assert sayer.next_event()['matched']
    sayer.send('send', 'latency', 1, 1)
    sent = sayer.next_event()
    for hearer in hearers:
        heard = hearer.next_event()
        assert (heard['size'], heard['checksum']) == (7_452_000, sent['checksum'])


SMALL = """
import json, sys, tempfile
from pathlib import Path
from benchmarks.suites.ros_graph.transport import PROFILE, measure_transports
with tempfile.TemporaryDirectory() as folder:
    times = measure_transports(Path(folder), (PROFILE,), rounds=3, burst=5, turns=1)['profile']
    logs = [path.read_text() for path in Path(folder).iterdir()]
print(json.dumps({'heard': len(times.latency.milliseconds), 'logs': logs}))
"""


def in_small_shared_memory(mebibytes: int, *command: str) -> subprocess.CompletedProcess:
    """Run a command where /dev/shm is a file system of its own, as small as in a container."""
    mount = f'mount -t tmpfs -o size={mebibytes}m tmpfs /dev/shm && exec "$@"'
    return subprocess.run(
        ['unshare', '-m', 'sh', '-c', mount, 'sh', *command],
        capture_output=True, text=True, timeout=150, cwd=ROOT, env=dict(os.environ),
    )  # fmt: skip


@pytest.fixture(scope='module')
def _may_mount() -> None:
    try:
        done = in_small_shared_memory(8, 'true')
    except OSError as err:
        pytest.skip(f'unshare is not there: {err}')
    if done.returncode:
        pytest.skip(f'this user may not mount: {done.stderr.strip()}')


@pytest.mark.usefixtures('_may_mount')
@pytest.mark.parametrize(
    ('mebibytes', 'said'),
    [(64, 'shared memory in segments of'), (8, 'UDP with larger socket buffers')],
    ids=['Docker has 64 MB', 'next to nothing'],
)
def test_clouds_arrive_with_a_small_shared_memory_and_one_line_says_what_is_used(mebibytes, said):
    done = in_small_shared_memory(mebibytes, sys.executable, '-c', SMALL)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found['heard'] == 3
    for log in found['logs']:
        assert [line for line in log.splitlines() if 'DDS profile' in line and said in line]
        assert 'rror' not in log, 'Fast DDS does not do without complaint'


def profile_without_type_objects(folder: Path) -> Path:
    """
    Return the shipped profile with type propagation off.

    CycloneDDS for Python refuses the type objects of Fast DDS 3, whatever the transports; here
    the transports are at issue.
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


def test_an_image_goes_to_another_vendors_node_and_back(domain_id, tmp_path):
    """A CycloneDDS process sends back what it hears; it knows no shared memory of Fast DDS'."""
    pytest.importorskip(
        'cyclonedds', reason='cyclonedds is not installed (pip install cyclonedds)'
    )
    code = """
import sys, time, zlib
from array import array
import numpy as np
from hydranet_ros.ros.dds_profile import apply_dds_profile
apply_dds_profile()
import rclpy
from sensor_msgs.msg import Image
rclpy.init()
node, heard = rclpy.create_node('sayer'), []
node.create_subscription(Image, 'back', heard.append, 5)
publisher = node.create_publisher(Image, 'there', 5)
data = array('B', np.random.default_rng(0).integers(0, 256, 921600, np.uint8).tobytes())
message = Image(height=480, width=640, step=1920, encoding='rgb8', data=data)
until = time.monotonic() + 40
while not heard and time.monotonic() < until:
    if publisher.get_subscription_count():
        publisher.publish(message)
    rclpy.spin_once(node, timeout_sec=0.2)
print(bool(heard) and heard[0] == message)
"""
    profile = profile_without_type_objects(tmp_path)
    # Two vendors find each other by multicast, which the range LOCALHOST does without.
    extra = {SWITCH: str(profile), 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET'}
    variables = environment(domain_id, profile=True, extra=extra)
    with subprocess.Popen([sys.executable, '-c', CYCLONE, str(domain_id)], env=variables) as other:
        try:
            done = subprocess.run(
                [sys.executable, '-c', code], env=variables, cwd=ROOT, capture_output=True,
                text=True, timeout=90,
            )  # fmt: skip
        finally:
            other.kill()
    assert done.stdout.strip() == 'True', done.stderr
