"""The node as a process: start, errors, restart, overload and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from command import hydranet
from conftest import ROOT, wait_for
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters
from ros_tools import camera_info, image_message
from sensor_msgs.msg import CameraInfo, Image, PointCloud2


@pytest.fixture
def images(ros):
    return ros.client.create_publisher(Image, 'image', 1)


@pytest.fixture
def infos(ros):
    return ros.client.create_publisher(CameraInfo, 'camera_info', 1)


@pytest.fixture
def masks(ros):
    return ros.collect(Image, '/hydranet/segmentation/mask')


def connected(*publishers) -> bool:
    return all(item.get_subscription_count() for item in publishers)


def test_a_killed_node_can_be_started_again(start_node, tiny_model, images, masks):
    for second in (1, 2):
        running = start_node(tiny_model)
        running.wait_for_log('active:')

        def processed(second=second) -> bool:
            images.publish(image_message(second))
            time.sleep(0.05)
            return any(item.header.stamp.sec == second for item in masks)

        wait_for(processed, what=running.text)
        running.process.kill()
        running.process.wait()


def test_a_node_without_its_model_keeps_running_and_names_the_file(start_node, tmp_path):
    running = start_node(tmp_path / 'none.onnx')
    running.wait_for_log('The node did not start. Fix the error above, then run: ')
    assert 'configure failed' in running.text() and 'none.onnx' in running.text()
    assert running.process.poll() is None
    running.interrupt()


def test_a_malformed_parameter_request_is_one_line_and_the_node_continues(
    ros, start_node, tiny_model
):
    running = start_node(tiny_model)
    running.wait_for_log('active:')
    client = ros.client.create_client(SetParameters, '/hydranet/set_parameters')
    wait_for(client.service_is_ready)
    malformed = Parameter(name='max_depth', value=ParameterValue(type=200))
    client.call_async(SetParameters.Request(parameters=[malformed]))
    running.wait_for_log('A callback failed and was skipped')
    request = GetParameters.Request(names=['preset'])
    response = ros.call(GetParameters, '/hydranet/get_parameters', request)
    assert response.values[0].string_value == 'street'
    running.interrupt()


@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        (['run', 'mars'], 'mars'),
        (['run', 'street', '--ros-args', '-p', 'nonsense'], 'nonsense'),
    ],
    ids=['unknown preset', 'malformed arguments'],
)
def test_a_start_that_fails_is_one_error_with_status_2(arguments, reason):
    done = hydranet(*arguments)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith('hydranet: ') and reason in last
    assert 'Traceback' not in done.stderr


def test_the_process_of_the_node_does_not_import_torch(tiny_model, domain_id):
    """Neither for loading a model nor for processing a frame with every output."""
    code = f"""
import sys, rclpy, numpy as np
from hydranet_ros.ros.node import HydranetNode
from rclpy.parameter import Parameter
rclpy.init()
node = HydranetNode(parameter_overrides=[Parameter('model', value={str(tiny_model)!r}),
                                         Parameter('autostart', value=False)])
assert node.trigger_configure().name == 'SUCCESS' and node.trigger_activate().name == 'SUCCESS'
node._perception.process(np.zeros((48, 64, 3), np.uint8), wanted=node._perception.available)
print(sorted({{'torch', 'onnx', 'typer', 'rosbags'}} & set(sys.modules)))
node.destroy_node(); rclpy.shutdown()
"""
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=120, cwd=ROOT,
        env={**os.environ, 'ROS_DOMAIN_ID': str(domain_id)},
    )  # fmt: skip
    assert done.stdout.strip().endswith('[]'), done.stderr


def test_under_overload_the_newest_frame_wins_and_no_frame_is_queued(
    start_node, street_model, images, infos, masks
):
    """The included model gets 640x480 images much faster than it can process them."""
    running = start_node(street_model)
    wait_for(lambda: connected(images, infos), what=running.text)
    infos.publish(camera_info(size=(480, 640)))
    message = image_message(0, (480, 640))

    def publish() -> None:
        message.header.stamp.sec += 1
        images.publish(message)
        time.sleep(0.002)

    def stamps() -> list[int]:
        return [item.header.stamp.sec for item in masks]

    def overloaded() -> bool:
        publish()
        return len(masks) >= 5

    wait_for(overloaded, what='five results')
    processed = len(masks)
    last = message.header.stamp.sec + 1

    def last_is_processed() -> bool:
        message.header.stamp.sec = last - 1
        publish()
        time.sleep(0.5)
        return bool(masks) and stamps()[-1] == last

    wait_for(last_is_processed, what='the last frame')
    assert stamps() == sorted(stamps()), 'the order of the frames changed'
    assert sum(stamp < last for stamp in stamps()[processed:]) <= 2, 'frames were queued'
    assert len(set(stamps())) < last, 'no frame was dropped'
    running.interrupt()


@pytest.mark.slow
def test_the_first_result_arrives_within_three_seconds_of_the_start(
    start_node, street_model, images, masks
):
    """The best start counts: the machine is shared, and discovery may take 3 s after a restart."""
    message = image_message(0, (480, 640))
    times: list[float] = []
    while len(times) < 5 and (not times or min(times) > 3):
        begin = time.monotonic()
        running = start_node(street_model)
        message.header.stamp.sec += 1

        def processed() -> bool:
            images.publish(message)
            time.sleep(0.05)
            return bool(masks) and masks[-1].header.stamp.sec == message.header.stamp.sec

        wait_for(processed, what='a first result')
        times.append(time.monotonic() - begin)
        libraries = running.maps()
        assert 'onnxruntime' in libraries and 'libtorch' not in libraries
        running.interrupt()
    if min(times) > 3 and os.getloadavg()[0] > (os.cpu_count() or 1):
        pytest.skip(f'the machine is busy (load {os.getloadavg()[0]:.1f}): {times}')
    assert min(times) <= 3, times


def resident(process: subprocess.Popen) -> int:
    pages = int(Path(f'/proc/{process.pid}/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE')


def test_memory_does_not_grow_from_frame_to_frame(ros, start_node, tiny_model, images, infos):
    """A message of a frame is 1.2 MB: losing one in a hundred frames would be seen."""
    running = start_node(tiny_model)
    depths = ros.collect(Image, '/hydranet/depth/image')
    clouds = ros.collect(PointCloud2, '/hydranet/points')
    wait_for(lambda: connected(images, infos), what=running.text)
    message = image_message(0, (240, 320))

    def both_received() -> bool:
        infos.publish(camera_info(size=(240, 320)))
        images.publish(message)
        time.sleep(0.05)
        return bool(depths and clouds)

    wait_for(both_received, what='depth and cloud')
    sizes = {}
    for number in range(1, 501):
        message.header.stamp.sec = number
        images.publish(message)
        wait_for(lambda n=number: depths[-1].header.stamp.sec == n, what=f'frame {number}')
        del depths[:-1], clouds[:-1]
        sizes[number] = resident(running.process)
    assert sizes[500] - sizes[100] < 4e6, sizes
    running.interrupt()
