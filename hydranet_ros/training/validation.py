"""
Metrics during training: full images, batch size 1, pooled over all pixels as the official code.

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
    Predict ``labels`` (H, W) uint8, ``depth`` (H, W) float32 meters and ``normals`` (H, W, 3).

    The result has a key for each task of the network.

    :param image: (H, W, 3) uint8 RGB.
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
    Return the metrics of a set by name.

    Samples with labels give ``miou`` and ``pixel_accuracy``, samples with depth ``rmse``,
    ``abs_rel`` and others, samples with normals ``angle_mean`` and others; see
    :data:`~hydranet_ros.training.metric_table.METRICS`. Depth errors are in meters of the
    sample's own camera.

    :param focal_length: pixels, of the camera whose depth scale the predictor learned.
    :raises DatasetError: if there is no image.
    :raises ModelError: if the prediction is not finite, or has classes outside 0..C-1.
    """
    tally = Tally(num_classes, focal_length, protocol or Protocol())
    for sample in samples:
        tally.add(sample, predictor(sample.image))
    if not tally.images:
        raise DatasetError('The data set is empty; expected at least one image.')
    groups = tally.metrics()
    return {
        name: value
        for group in ('segmentation', 'depth_pooled', 'normals')
        for name, value in groups.get(group, {}).items()
    }
