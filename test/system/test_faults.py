"""Bad input to the node is one clear error, and the node continues."""

from __future__ import annotations

import struct
import zlib
from array import array
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import wait_for
from model_factory import make_model
from node_rig import Rig
from rclpy.parameter import Parameter
from ros_tools import camera_info, header, image_message
from sensor_msgs.msg import CompressedImage, Image, PointCloud2

from hydranet_ros.errors import HydranetError
from hydranet_ros.ros.node import HydranetNode


def make_empty(message: Image) -> None:
    message.height = message.width = message.step = 0
    message.data = array('B')


def set_wrong_step(message: Image) -> None:
    message.step = 10


def shorten_data(message: Image) -> None:
    message.data = message.data[:100]


def set_unknown_encoding(message: Image) -> None:
    message.encoding = 'rainbow9'


@pytest.fixture
def rig(ros, tiny_model):
    made = Rig(ros, model=str(tiny_model))
    made.wait_until_connected()
    return made


@pytest.mark.parametrize(
    ('spoil', 'reason'),
    [(make_empty, 'empty'), (set_wrong_step, 'step is 10'), (shorten_data, '100 bytes'),
     (set_unknown_encoding, "'rainbow9' is not supported")],
)  # fmt: skip
def test_a_bad_image_is_one_clear_error_and_the_next_is_processed(ros, rig, log, spoil, reason):
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    rig.wait_for_subscribers()
    bad = image_message(1)
    spoil(bad)
    rig.images.publish(bad)
    wait_for(lambda: rig.counters.failed == 1)
    assert reason in rig.node._statistics.last_error
    rig.images.publish(image_message(2))
    wait_for(lambda: masks)
    assert [m.header.stamp.sec for m in masks] == [2]
    wait_for(lambda: reason in log(), what='the error in the log')


def test_a_small_png_that_claims_a_large_image_fails_one_frame(ros, tiny_model):
    rig = Rig(ros, model=str(tiny_model), image_transport='compressed')
    images = ros.client.create_publisher(CompressedImage, 'image/compressed', 1)
    wait_for(lambda: images.get_subscription_count() == 1)
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    rig.wait_for_subscribers()
    images.publish(compressed_png(1, claimed=(4000, 4000)))
    wait_for(lambda: rig.counters.failed == 1)
    assert '4000x4000 = 16000000 pixels' in rig.node._statistics.last_error
    images.publish(compressed_png(2))
    wait_for(lambda: masks)
    assert [m.header.stamp.sec for m in masks] == [2]


def compressed_png(second: int, claimed: tuple[int, int] | None = None) -> CompressedImage:
    """Return an image of 64x48 pixels; ``claimed`` is another size that its header states."""
    data = bytearray(cv2.imencode('.png', np.zeros((48, 64, 3), np.uint8))[1].tobytes())
    if claimed is not None:
        data[16:24] = struct.pack('>II', *claimed)
        data[29:33] = struct.pack('>I', zlib.crc32(data[12:29]))
    return CompressedImage(header=header(second), format='png', data=array('B', data))


def test_an_error_inside_the_engine_fails_one_frame(ros, rig):
    infer = rig.node._perception.engine.infer
    calls = []

    def broken(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError('cuda went away')
        return infer(*arguments)

    rig.node._perception.engine.infer = broken
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    rig.wait_for_subscribers()
    for second in (1, 2, 3):
        rig.images.publish(image_message(second))
        wait_for(lambda n=second: len(calls) == n)
    wait_for(lambda: len(masks) == 2)
    assert [m.header.stamp.sec for m in masks] == [1, 3]
    assert rig.counters.failed == 1


@pytest.mark.parametrize(
    ('change', 'reason'),
    [({'k': [float('nan')] * 9}, 'not finite'), ({'k': [0.0] * 9}, 'not calibrated'),
     ({'distortion_model': 'fishy', 'd': [0.1] * 5}, "'fishy'")],
)  # fmt: skip
def test_an_impossible_camera_info_is_reported_and_prevents_only_the_cloud(
    ros, rig, log, change, reason
):
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    clouds = ros.collect(PointCloud2, '/hydranet/points')
    rig.wait_for_subscribers(2)
    bad = camera_info()
    for name, value in change.items():
        setattr(bad, name, value)
    rig.send_info(bad)
    rig.images.publish(image_message(1))
    wait_for(lambda: masks)
    assert clouds == []
    wait_for(lambda: reason in log(), what='the error in the log')
    rig.infos.publish(camera_info(2))
    wait_for(lambda: rig.node._camera.model is not None, what='the good camera info')
    rig.images.publish(image_message(3))
    wait_for(lambda: clouds)


@pytest.mark.parametrize(
    ('frame', 'size', 'reason'), [('other', (48, 64), "'other'"), ('', (24, 32), '32x24')]
)
def test_a_camera_info_of_another_camera_is_not_used(ros, rig, log, frame, size, reason):
    clouds = ros.collect(PointCloud2, '/hydranet/points')
    masks = ros.collect(Image, '/hydranet/segmentation/mask')
    rig.wait_for_subscribers(2)
    rig.send_info(camera_info(size=size, **({'frame': frame} if frame else {})))
    rig.images.publish(image_message(1))
    wait_for(lambda: masks)
    assert clouds == []
    wait_for(lambda: reason in log())


def spoiled_model(folder: Path, how: str) -> Path:
    path = folder / 'bad.onnx'
    if how == 'truncated':
        path.write_bytes(make_model(folder / 'whole.onnx').read_bytes()[:300])
    elif how == 'no metadata':
        make_model(path, metadata=False)
    elif how == 'text':
        path.write_text('not a model')
    return path


@pytest.mark.parametrize(
    ('how', 'reason'),
    [('missing', 'not found'), ('truncated', 'not a complete ONNX file'),
     ('text', 'not a complete ONNX file'), ('no metadata', 'hydranet export')],
)  # fmt: skip
def test_a_bad_model_fails_configure_with_one_line_and_a_good_one_succeeds_after(
    ros, tmp_path, tiny_model, log, how, reason
):
    bad = spoiled_model(tmp_path, how)
    rig = Rig(ros, model=str(bad), autostart=False)
    assert not rig.change('configure')
    assert rig.state() == 'unconfigured'
    wait_for(lambda: 'configure failed' in log())
    lines = [line for line in log().splitlines() if 'configure failed' in line]
    assert len(lines) == 1
    assert 'bad.onnx' in lines[0] and reason in lines[0]
    assert rig.set('model', str(tiny_model)).successful
    assert rig.change('configure') and rig.change('activate')
    rig.wait_until_connected()


@pytest.mark.parametrize(
    ('name', 'value'), [('preset', 'mars'), ('provider', 'abacus'), ('image_transport', 'pigeon')]
)
def test_a_wrong_parameter_at_the_start_is_refused_with_the_allowed_values(ros, name, value):
    with pytest.raises(HydranetError, match='allowed|known presets') as error:
        HydranetNode(context=ros.context, parameter_overrides=[Parameter(name, value=value)])
    assert value in str(error.value)


def test_a_requested_provider_that_is_not_available_fails_configure(ros, tiny_model, log):
    import onnxruntime

    if 'CUDAExecutionProvider' in onnxruntime.get_available_providers():
        pytest.skip('this machine has the CUDA provider')
    rig = Rig(ros, model=str(tiny_model), provider='cuda', autostart=False)
    assert not rig.change('configure')
    wait_for(lambda: "'cuda' cannot be used" in log())
