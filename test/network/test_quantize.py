"""INT8 files run on 8-bit integers, and their loss is measured on the calibration images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')
onnx = pytest.importorskip('onnx', reason='onnx is not installed (extra: train)')

from network_tools import run_model

from hydranet_ros.errors import ExportError
from hydranet_ros.network import quantize as quantization
from hydranet_ros.network.export_comparison import comparison_image
from hydranet_ros.network.quantize import (
    calibration_images,
    measure_quantization_loss,
    quantize,
)


def write_images(folder: Path, count: int, suffix: str = '.png') -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        image = np.full((8, 10, 3), (index, 0, 255), np.uint8)  # BGR
        cv2.imwrite(str(folder / f'{index:03}{suffix}'), image)
    return folder


@pytest.fixture(scope='module')
def images() -> list[np.ndarray]:
    return [comparison_image(48 + index, 64) for index in range(4)]


@pytest.fixture(scope='module')
def quantized(exported, images, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp('int8') / 'int8.onnx'
    quantize(exported.paths['portable'], path, images)
    return path


def test_images_are_rgb_and_sorted_by_name(tmp_path: Path):
    write_images(tmp_path / 'b', 2)
    write_images(tmp_path / 'a' / 'deep', 2, '.PPM')
    (tmp_path / 'notes.txt').write_text('not an image')
    found = calibration_images(tmp_path)
    assert [tuple(image[0, 0]) for image in found] == [(255, 0, 0), (255, 0, 1)] * 2


def test_of_many_images_32_are_chosen_evenly(tmp_path: Path):
    found = calibration_images(write_images(tmp_path, 63))
    blue = [int(image[0, 0, 2]) for image in found]
    assert blue == list(range(0, 63, 2))


@pytest.mark.parametrize('count', [0, 3])
def test_too_few_images_are_refused(tmp_path: Path, count: int):
    message = f'contains {count} images; INT8 calibration needs at least 4'
    with pytest.raises(ExportError, match=message):
        calibration_images(write_images(tmp_path, count))


def test_an_unreadable_image_is_named(tmp_path: Path):
    write_images(tmp_path, 4)
    (tmp_path / '002.png').write_bytes(b'not a png')
    with pytest.raises(ExportError, match=r'002\.png cannot be read'):
        calibration_images(tmp_path)


def test_all_convolutions_but_the_first_are_quantized(quantized: Path):
    graph = onnx.load(str(quantized)).graph
    producers = {name: node.op_type for node in graph.node for name in node.output}
    convolutions = [node for node in graph.node if node.op_type == 'Conv']
    first, *others = [producers[node.input[0]] == 'DequantizeLinear' for node in convolutions]
    assert not first and all(others)


def test_a_quantized_file_accepts_any_size(quantized: Path):
    assert run_model(quantized, comparison_image(61, 83))['labels'].shape == (1, 61, 83)


def test_the_loss_is_the_mean_over_the_images(exported, quantized, images, monkeypatch):
    """The classes of random weights are nearly equal, so that INT8 changes many labels."""
    monkeypatch.setattr(quantization, 'LABEL_LIMIT', 1.0)
    monkeypatch.setattr(quantization, 'DEPTH_LIMIT', 1.0)
    exact = exported.paths['portable']
    pairs = [(run_model(exact, image), run_model(quantized, image)) for image in images]
    labels = np.mean([(want['labels'] != got['labels']).mean() for want, got in pairs])
    depth = np.mean([
        np.median(np.abs(want['depth'] - got['depth']) / np.maximum(want['depth'], 1))
        for want, got in pairs
    ])  # fmt: skip
    found = measure_quantization_loss(exact, quantized, images)
    assert 0 < found.labels == pytest.approx(labels)
    assert 0 < found.depth == pytest.approx(depth)


@pytest.mark.parametrize(('labels', 'depth'), [(0.0, 1.0), (1.0, 0.0)])
def test_a_loss_above_either_limit_is_refused(
    exported, quantized, images, monkeypatch, labels, depth
):
    monkeypatch.setattr(quantization, 'LABEL_LIMIT', labels)
    monkeypatch.setattr(quantization, 'DEPTH_LIMIT', depth)
    with pytest.raises(ExportError, match='INT8 changes .*allowed: .*No file was written'):
        measure_quantization_loss(exported.paths['portable'], quantized, images)
