"""One image after the other, and the figures of the set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import DatasetError, ModelError
from hydranet_ros.model_files.metadata import UNLABELLED
from hydranet_ros.training.evaluation.crops import crop_window
from hydranet_ros.training.metrics import NEAREST, ConfusionMatrix, DepthErrors, NormalErrors
from hydranet_ros.training.sample import Sample

# Maps an image (H, W, 3) uint8 RGB to any of ``labels`` (H, W) class ids, ``depth`` (H, W) metres
# as the training camera would see them, ``normals`` (H, W, 3).
Predictor = Callable[[NDArray[np.uint8]], Mapping[str, NDArray]]

# Groups of figures, by name: {'segmentation': {'miou': 0.8, ...}, 'depth_pooled': {...}, ...}.
Figures = dict[str, dict[str, float]]
GROUPS = ('segmentation', 'depth_pooled', 'depth_per_image', 'normals')


@dataclass(frozen=True)
class Protocol:
    """
    Which depth counts.

    :param crop: one of :data:`~hydranet_ros.training.evaluation.crops.CROPS`.
    :param nearest: metres; true depth counts above it.
    :param farthest: metres; true depth counts below it.
    """

    crop: str = 'none'
    nearest: float = NEAREST
    farthest: float = 80.0


@dataclass
class Tally:
    """
    All that is counted over the images of one data set under one condition.

    :param focal_length: pixels, of the camera whose depth scale the predictor has; 0 unknown.
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

    def add(self, sample: Sample, found: Mapping[str, NDArray]) -> dict[str, float]:
        """
        Count one image.

        :param found: what a :data:`Predictor` said of it.
        :returns: the image's own figures: miou and pixel_accuracy, depth figures as BTS,
            angle_mean; those it has.
        :raises DatasetError: if an annotation has another size, naming the image.
        :raises ModelError: if the prediction cannot be measured, naming the image.
        """
        own: dict[str, float] = {}
        try:
            if sample.labels is not None and 'labels' in found:
                own.update(self._add_labels(sample.labels, found['labels']))
            if sample.depth is not None and 'depth' in found:
                own.update(self._add_depth(sample, found['depth']))
            if sample.normals is not None and 'normals' in found:
                own.update(self.normals.add(sample.normals, found['normals']))
        except (DatasetError, ModelError) as err:
            raise type(err)(f'{sample.name}: {err}') from err
        self.images += 1
        return own

    def _add_labels(self, truth: NDArray, prediction: NDArray) -> dict[str, float]:
        image = ConfusionMatrix(self.num_classes)
        image.add(truth, prediction)
        self.confusion.merge(image)
        self.foreign_pixels += int(((truth >= self.num_classes) & (truth != UNLABELLED)).sum())
        return image.summary()

    def _add_depth(self, sample: Sample, prediction: NDArray) -> dict[str, float]:
        assert sample.depth is not None
        window = crop_window(self.protocol.crop, *sample.depth.shape)
        metres = metric_depth(prediction, sample, self.focal_length)
        if metres.shape != sample.depth.shape:
            return self.depth.add(sample.depth, metres)  # says what is wrong
        return self.depth.add(sample.depth[window], metres[window])

    def figures(self) -> Figures:
        """Return the figures of each group that anything was counted for."""
        found = {
            'segmentation': self.confusion.summary(),
            'depth_pooled': self.depth.summary(),
            'depth_per_image': self.depth.mean_over_images(),
            'normals': self.normals.summary(),
        }
        return {name: values for name, values in found.items() if values}


def metric_depth(prediction: NDArray, sample: Sample, focal_length: float) -> NDArray:
    """
    Return predicted metres as the sample's own camera sees them.

    A network learns the scale of its training camera: what a camera of twice the focal length
    shows looks half as far. Where either focal length is unknown the prediction stays as it is.
    """
    if sample.focal_length > 0 and focal_length > 0:
        return prediction * (sample.focal_length / focal_length)
    return prediction
