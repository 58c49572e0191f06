"""
Quantize a model file to INT8: its convolutions, pools and additions run on 8-bit integers.

Unlike the rewrites, this changes the outputs. The change is measured on the calibration images.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import ExportError
from hydranet_ros.network.export_comparison import open_reference_session

SUFFIXES = frozenset({'.png', '.jpg', '.jpeg', '.ppm', '.bmp'})
MAX_IMAGES = 32
MIN_IMAGES = 4
LABEL_LIMIT = 0.05
DEPTH_LIMIT = 0.1
_OPERATORS = ['Conv', 'MaxPool', 'Add', 'Clip']


@dataclass(frozen=True)
class QuantizationLoss:
    """
    Difference between the INT8 and the float32 model on the calibration images.

    :param labels: fraction of pixels whose class differs.
    :param depth: median difference relative to the depth, or to 1 m where it is less; mean of
        all images.
    """

    labels: float
    depth: float


def calibration_images(folder: Path) -> list[NDArray[np.uint8]]:
    """
    Read up to 32 images of a folder and its subfolders, evenly spaced by name.

    :returns: images (H, W, 3) uint8 RGB, which may differ in size.
    :raises ExportError: if there are fewer than four, or one cannot be read.
    """
    found = sorted(p for p in folder.rglob('*') if p.suffix.lower() in SUFFIXES)
    if len(found) < MIN_IMAGES:
        raise ExportError(
            f'{folder} contains {len(found)} images; INT8 calibration needs at least '
            f'{MIN_IMAGES}. Use images like those of the camera.'
        )
    chosen = np.linspace(0, len(found) - 1, min(MAX_IMAGES, len(found))).round().astype(int)
    return [_read(found[index]) for index in chosen]


def _read(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ExportError(f'The calibration image {path} cannot be read. Remove it or repair it.')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def quantize(exact: Path, output: Path, images: Sequence[NDArray[np.uint8]]) -> None:
    """
    Write the INT8 form of a model file, without its metadata.

    Weights are quantized per channel, activations per tensor, with the ranges observed on the
    images. Both are symmetric int8 (zero point 0), because TensorRT accepts nothing else. The
    first convolution, which reads the pixels, remains in float32.

    :param exact: the portable float32 model.
    :param images: (H, W, 3) uint8 RGB each.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter('ignore')
        prepared = Path(folder) / 'prepared.onnx'
        quant_pre_process(str(exact), str(prepared), skip_symbolic_shape=True)
        nodes = onnx.load(str(prepared)).graph.node
        first = next(node.name for node in nodes if node.op_type == 'Conv')
        quantize_static(
            str(prepared), str(output), _CalibrationReader(images), quant_format=QuantFormat.QDQ,
            per_channel=True, activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
            extra_options={'ActivationSymmetric': True, 'WeightSymmetric': True},
            op_types_to_quantize=_OPERATORS, nodes_to_exclude=[first],
        )  # fmt: skip


class _CalibrationReader:
    """The images as ONNX Runtime's ``CalibrationDataReader``."""

    def __init__(self, images: Sequence[NDArray[np.uint8]]) -> None:
        self._images = iter(images)

    def get_next(self) -> dict[str, Any] | None:
        """Return the inputs of the next run, ``None`` after the last."""
        image = next(self._images, None)
        return None if image is None else {'image': image[None]}


def measure_quantization_loss(
    exact: Path, quantized: Path, images: Sequence[NDArray[np.uint8]]
) -> QuantizationLoss:
    """
    Compare a quantized file with the exact one.

    :param images: (H, W, 3) uint8 RGB each.
    :raises ExportError: if more than 5 % of the labels change, or depth by more than 10 %.
    """
    sessions = [open_reference_session(path) for path in (exact, quantized)]
    names = [item.name for item in sessions[0].get_outputs()]
    labels, depths = [0.0], [0.0]
    for image in images:
        want, got = (dict(zip(names, session.run(names, {'image': image[None]})))
                     for session in sessions)  # fmt: skip
        if 'labels' in want:
            labels.append(float((want['labels'] != got['labels']).mean()))
        if 'depth' in want:
            scale = np.maximum(want['depth'], 1)
            depths.append(float(np.median(np.abs(want['depth'] - got['depth']) / scale)))
    count = len(images)
    found = QuantizationLoss(float(np.sum(labels)) / count, float(np.sum(depths)) / count)
    if not (found.labels <= LABEL_LIMIT and found.depth <= DEPTH_LIMIT):
        raise ExportError(
            f'INT8 changes {found.labels:.1%} of the labels and depth by {found.depth:.1%}; '
            f'allowed: {LABEL_LIMIT:.0%} and {DEPTH_LIMIT:.0%}. No file was written. Use more '
            'images like those of the camera, or export in float32.'
        )
    return found
