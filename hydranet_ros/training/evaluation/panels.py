"""Panels of one image: truth, prediction and errors of labels, depth and normals."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.perception.colormaps import (
    Rgb,
    color_depth,
    color_labels,
    color_normals,
    overlay,
    palette,
)
from hydranet_ros.training.evaluation.run import SetResult
from hydranet_ros.training.evaluation.tally import metric_depth
from hydranet_ros.training.metrics import angles_between
from hydranet_ros.training.sample import Sample

RELATIVE_LIMIT = 0.5
ANGLE_LIMIT = 60.0
# A map with fewer known pixels is drawn with larger points.
_SPARSE = 0.3
_WRONG = np.array((230, 30, 30), np.float32)


def panels(result: SetResult, sample: Sample, prediction: Mapping[str, NDArray]) -> dict[str, Rgb]:
    """
    Return the panels of one image by their titles, those that its annotations allow.

    :param prediction: of the model of ``result``, for ``sample.image``.
    """
    found = {'image': sample.image}
    makers: Mapping[str, Callable[[SetResult, Sample, NDArray], dict[str, Rgb]]] = {
        'labels': _labels, 'depth': _depth, 'normals': _normals,
    }  # fmt: skip
    for name, maker in makers.items():
        if name in prediction:
            found.update(maker(result, sample, prediction[name]))
    return found


def _labels(result: SetResult, sample: Sample, prediction: NDArray) -> dict[str, Rgb]:
    table = palette(result.model.classes)
    labels = np.ascontiguousarray(prediction.astype(np.uint8))
    found = {'predicted classes': overlay(sample.image, color_labels(labels, table), 0.6)}
    if sample.labels is None:
        return found
    known = sample.labels < len(result.model.classes)
    colors = color_labels(np.ascontiguousarray(sample.labels), table)
    truth = overlay(sample.image, colors, 0.6)
    truth[~known] //= 3
    errors = (sample.image * 0.35).astype(np.float32)
    errors[~known] = 0
    wrong = known & (labels != sample.labels)
    errors[wrong] = 0.3 * errors[wrong] + 0.7 * _WRONG
    return {'true classes': truth, **found, 'wrong classes (red)': errors.astype(np.uint8)}


def _depth(result: SetResult, sample: Sample, prediction: NDArray) -> dict[str, Rgb]:
    limits = depth_limits(result)
    meters = np.abs(metric_depth(prediction, sample, result.model.focal_length))
    meters = meters.astype(np.float32)
    found = {'predicted depth': color_depth(meters, limits)}
    if sample.depth is None:
        return found
    known = sample.depth > 0
    true = np.where(known, sample.depth, np.nan).astype(np.float32)
    truth, error = (_dilated(item, known) for item in (true, np.abs(meters - true) / true))
    return {
        'true depth': color_depth(truth, limits), **found,
        f'relative error, 0 to {RELATIVE_LIMIT:.0%}': _heat(error / RELATIVE_LIMIT),
    }  # fmt: skip


def depth_limits(result: SetResult) -> tuple[float, float]:
    """Return the meters of the first and last color; they are finite, even if all depth counts."""
    return 0.0, min(result.protocol.farthest, max(10.0, result.model.depth_range[1]))


def _normals(_: SetResult, sample: Sample, prediction: NDArray) -> dict[str, Rgb]:
    found = {'predicted normals': color_normals(prediction.astype(np.float32))}
    if sample.normals is None:
        return found
    known = (sample.normals != 0).any(-1)
    angles = angles_between(sample.normals.reshape(-1, 3), prediction.reshape(-1, 3))
    angles = np.where(known, angles.reshape(known.shape), np.nan)
    truth = color_normals(sample.normals)
    truth[~known] = 0
    return {
        'true normals': truth, **found,
        f'angle, 0 to {ANGLE_LIMIT:g} degrees': _heat(angles / ANGLE_LIMIT),
    }  # fmt: skip


def _dilated(values: NDArray, known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Enlarge the points of a sparse map, such as that of a lidar, to make them visible."""
    if known.mean() > _SPARSE:
        return values.astype(np.float32)
    # OpenCV pads with the largest float, so that it must mean unknown as well.
    unknown = np.finfo(np.float32).max
    filled = np.where(known, values, unknown).astype(np.float32)
    dilated = cv2.erode(filled, np.ones((5, 5)))
    return np.where(dilated < unknown, dilated, np.nan).astype(np.float32)


def _heat(values: NDArray) -> Rgb:
    """Return (H, W) values of 0..1 as colors from dark to bright, NaN as black."""
    index = np.nan_to_num(np.clip(values, 0, 1) * 255, nan=0).astype(np.uint8)
    colors = cv2.applyColorMap(index, cv2.COLORMAP_INFERNO)[..., ::-1].copy()
    colors[np.isnan(values)] = 0
    return colors
