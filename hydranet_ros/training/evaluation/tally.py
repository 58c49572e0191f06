"""Accumulate the metrics of a data set, one image at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import DatasetError, ModelError
from hydranet_ros.model_files.metadata import UNLABELED
from hydranet_ros.training.evaluation.crops import crop_window
from hydranet_ros.training.metric_table import require_registered
from hydranet_ros.training.metrics import NEAREST, ConfusionMatrix, DepthErrors, NormalErrors
from hydranet_ros.training.sample import Sample

# Maps an image (H, W, 3) uint8 RGB to any of ``labels`` (H, W) class ids, ``depth`` (H, W) meters
# of the training camera, ``normals`` (H, W, 3).
Predictor = Callable[[NDArray[np.uint8]], Mapping[str, NDArray]]

# Metrics by group and key: {'segmentation': {'miou': 0.8, ...}, 'depth_pooled': {...}, ...}.
GroupedMetrics = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Protocol:
    """
    The depth that counts.

    :param crop: one of :data:`~hydranet_ros.training.evaluation.crops.CROPS`.
    :param nearest: meters; true depth counts above it.
    :param farthest: meters; true depth counts below it.
    """

    crop: str = 'none'
    nearest: float = NEAREST
    farthest: float = 80.0


@dataclass
class Tally:
    """
    The sums over the images of one data set under one condition.

    :param focal_length: pixels, of the camera whose depth scale the predictor has; 0 if unknown.
    """

    num_classes: int
    focal_length: float = 0.0
    protocol: Protocol = field(default_factory=Protocol)
    images: int = 0
    foreign_pixels: int = 0

    def __post_init__(self) -> None:
        self.confusion = ConfusionMatrix(self.num_classes)
        self.depth = DepthErrors(self.protocol.farthest, self.protocol.nearest)
        self.normals = NormalErrors()

    def add(self, sample: Sample, prediction: Mapping[str, NDArray]) -> dict[str, float]:
        """
        Count one image.

        :param prediction: output of a :data:`Predictor` for it.
        :returns: the metrics of this image by key: of classes, of depth as BTS, ``angle_mean``;
            those that its annotations allow.
        :raises DatasetError: if an annotation has another size, naming the image.
        :raises ModelError: if the prediction cannot be measured, naming the image.
        """
        own: dict[str, float] = {}
        try:
            if sample.labels is not None and 'labels' in prediction:
                own.update(self._add_labels(sample.labels, prediction['labels']))
            if sample.depth is not None and 'depth' in prediction:
                own.update(self._add_depth(sample, prediction['depth']))
            if sample.normals is not None and 'normals' in prediction:
                own.update(self.normals.add(sample.normals, prediction['normals']))
        except (DatasetError, ModelError) as err:
            raise type(err)(f'{sample.name}: {err}') from err
        require_registered(own)
        self.images += 1
        return own

    def _add_labels(self, truth: NDArray, prediction: NDArray) -> dict[str, float]:
        image = ConfusionMatrix(self.num_classes)
        image.add(truth, prediction)
        self.confusion.merge(image)
        self.foreign_pixels += int(((truth >= self.num_classes) & (truth != UNLABELED)).sum())
        return image.summary()

    def _add_depth(self, sample: Sample, prediction: NDArray) -> dict[str, float]:
        assert sample.depth is not None
        window = crop_window(self.protocol.crop, *sample.depth.shape)
        meters = metric_depth(prediction, sample, self.focal_length)
        if meters.shape != sample.depth.shape:
            return self.depth.add(sample.depth, meters)  # raises the error
        return self.depth.add(sample.depth[window], meters[window])

    def metrics(self) -> GroupedMetrics:
        """
        Return the metrics of each group for which anything was counted.

        :raises TrainingError: if a metric is not registered.
        """
        groups = {
            'segmentation': self.confusion.summary(),
            'depth_pooled': self.depth.summary(),
            'depth_per_image': self.depth.mean_over_images(),
            'normals': self.normals.summary(),
        }
        for values in groups.values():
            require_registered(values)
        return {name: values for name, values in groups.items() if values}


def metric_depth(prediction: NDArray, sample: Sample, focal_length: float) -> NDArray:
    """
    Return predicted depth in meters of the sample's own camera.

    A network learns the scale of its training camera: an object in an image of twice the focal
    length looks half as far. If either focal length is unknown, the prediction is unchanged.

    :param prediction: meters of the training camera.
    :param focal_length: pixels, of the training camera; 0 if unknown.
    """
    if sample.focal_length > 0 and focal_length > 0:
        return prediction * (sample.focal_length / focal_length)
    return prediction
