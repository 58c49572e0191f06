"""
Metrics while a network trains: full image, batch 1, pooled over all pixels, as the official code.

The command ``hydranet eval`` is in :mod:`hydranet_ros.training.evaluation`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import DatasetError
from hydranet_ros.network.hydranet import HydraNet
from hydranet_ros.training.evaluation.predictors import network_predictor
from hydranet_ros.training.evaluation.tally import Predictor, Protocol, Tally
from hydranet_ros.training.sample import Sample

__all__ = ['Predictor', 'measure', 'predict']


def predict(network: HydraNet, image: NDArray[np.uint8]) -> dict[str, NDArray]:
    """
    Return ``labels`` (H, W) uint8, ``depth`` (H, W) float32 metres, ``normals`` (H, W, 3) of an
    RGB image, each where the network has that task.
    """
    return dict(network_predictor(network)(image))


def measure(
    predictor: Predictor,
    samples: Iterable[Sample],
    *,
    num_classes: int,
    focal_length: float,
    protocol: Protocol | None = None,
) -> dict[str, float]:
    """
    Return the figures of a set: ``miou`` and ``pixel_accuracy`` where there are labels; ``rmse``,
    ``rmse_log``, ``abs_rel`` and the others of
    :data:`~hydranet_ros.training.metrics.DEPTH_METRICS`, pooled, where there is depth;
    ``angle_mean``, ... where there are normals.

    Depth is compared in metres of the sample's own camera.

    :param focal_length: pixels, of the camera whose depth scale the predictor has.
    :raises DatasetError: if there is no image at all.
    :raises ModelError: if the prediction is not finite, or has classes outside 0..C-1.
    """
    tally = Tally(num_classes, focal_length, protocol or Protocol())
    for sample in samples:
        tally.add(sample, predictor(sample.image))
    if not tally.images:
        raise DatasetError('There is nothing to measure: the data set is empty.')
    groups = tally.figures()
    return {
        name: value
        for group in ('segmentation', 'depth_pooled', 'normals')
        for name, value in groups.get(group, {}).items()
    }
