"""
INT8: a model file whose convolutions, pools and sums run on 8-bit integers.

Unlike the rewrites this changes answers; how much is measured on the user's own pictures.
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

SUFFIXES = frozenset({'.png', '.jpg', '.jpeg', '.ppm', '.bmp'})
PICTURES = 32
FEWEST = 4
LABEL_LIMIT = 0.05
DEPTH_LIMIT = 0.1
_OPERATORS = ['Conv', 'MaxPool', 'Add', 'Clip']


@dataclass(frozen=True)
class Loss:
    """
    What 8 bits change on the calibration pictures.

    :param labels: share of pixels whose class differs.
    :param depth: median difference, relative to the larger of the depth and 1 m.
    """

    labels: float
    depth: float


def calibration_pictures(folder: Path) -> list[NDArray[np.uint8]]:
    """
    Return up to 32 pictures of a folder, spread over it, each (H, W, 3) uint8 RGB.

    :raises ExportError: if there are fewer than four.
    """
    found = sorted(p for p in folder.rglob('*') if p.suffix.lower() in SUFFIXES)
    if len(found) < FEWEST:
        raise ExportError(
            f'{folder} holds {len(found)} pictures; INT8 needs {FEWEST} or more of the kind that '
            'the camera will see, to learn the range of each layer.'
        )
    places = np.linspace(0, len(found) - 1, min(PICTURES, len(found))).round().astype(int)
    return [_read(found[place]) for place in places]


def _read(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise ExportError(f'The calibration picture {path} cannot be read: take it out.')
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def quantise(exact: Path, output: Path, pictures: Sequence[NDArray[np.uint8]]) -> None:
    """
    Write a model file's INT8 form, which has no metadata yet.

    Weights a channel at a time, activations as unsigned bytes with the ranges seen on the
    pictures; the first convolution, which sees the pixels, stays in float.
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
            str(prepared), str(output), _Reader(pictures), quant_format=QuantFormat.QDQ,
            per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            op_types_to_quantize=_OPERATORS, nodes_to_exclude=[first],
        )  # fmt: skip


class _Reader:
    """The pictures, one after another, as ONNX Runtime's calibration asks for them."""

    def __init__(self, pictures: Sequence[NDArray[np.uint8]]) -> None:
        self._pictures = iter(pictures)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next feed, ``None`` after the last."""
        picture = next(self._pictures, None)
        return None if picture is None else {'image': picture[None]}


def measure_loss(exact: Path, quantised: Path, pictures: Sequence[NDArray[np.uint8]]) -> Loss:
    """
    Return how far a quantised file is from the exact one on these pictures.

    :raises ExportError: if it is too far to be of use.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    sessions = [
        onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
        for path in (exact, quantised)
    ]
    names = [item.name for item in sessions[0].get_outputs()]
    labels, depths = [0.0], [0.0]
    for picture in pictures:
        want, got = (dict(zip(names, session.run(names, {'image': picture[None]})))
                     for session in sessions)  # fmt: skip
        if 'labels' in want:
            labels.append(float((want['labels'] != got['labels']).mean()))
        if 'depth' in want:
            scale = np.maximum(want['depth'], 1)
            depths.append(float(np.median(np.abs(want['depth'] - got['depth']) / scale)))
    found = Loss(float(np.sum(labels)) / len(pictures), float(np.sum(depths)) / len(pictures))
    if not (found.labels <= LABEL_LIMIT and found.depth <= DEPTH_LIMIT):
        raise ExportError(
            f'INT8 changes {found.labels:.1%} of the labels and depth by {found.depth:.1%}; '
            f'allowed: {LABEL_LIMIT:.0%} and {DEPTH_LIMIT:.0%}. The file was not kept. Give more '
            'pictures of what the camera sees, or export in float32.'
        )
    return found
