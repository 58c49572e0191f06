"""Metrics of a network over data sets, full image, batch 1, as the official code evaluates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from hydranet_ros.network.hydranet import HydraNet
from hydranet_ros.training.batches import normalise
from hydranet_ros.training.config import TrainConfig
from hydranet_ros.training.datasets import Sample
from hydranet_ros.training.losses import resize_to
from hydranet_ros.training.metrics import ConfusionMatrix, DepthErrors


@torch.no_grad()
def predict(network: HydraNet, image: NDArray[np.uint8]) -> dict[str, NDArray]:
    """
    Return ``labels`` (H, W) int64 and ``depth`` (H, W) float32 metres of an RGB image.

    Logits are brought to the image's size before the argmax.
    """
    size = image.shape[:2]
    outputs = network(normalise(torch.from_numpy(image).permute(2, 0, 1)[None]))
    found = {}
    if 'segmentation' in outputs:
        found['labels'] = resize_to(outputs['segmentation'], size)[0].argmax(0).numpy()
    if 'depth' in outputs:
        found['depth'] = resize_to(outputs['depth'], size)[0, 0].abs().numpy()
    return found


def evaluate_network(
    network: HydraNet, sets: Sequence[Iterable[Sample]], config: TrainConfig
) -> dict[str, float]:
    """
    Return ``miou`` of the first set and the depth errors of the first set that has depth.

    Depth is compared in metres of the sample's own camera.
    """
    network = network.eval().to(memory_format=torch.channels_last)
    row: dict[str, float] = {}
    for samples in sets:
        confusion = ConfusionMatrix(config.num_classes)
        errors = DepthErrors()
        for sample in samples:
            found = predict(network, sample.image)
            if sample.labels is not None and 'labels' in found:
                confusion.add(sample.labels, found['labels'])
            if sample.depth is not None and 'depth' in found:
                scale = sample.focal_length / config.depth_focal_length
                errors.add(sample.depth, found['depth'] * scale)
        row.setdefault('miou', confusion.mean_iou)
        if errors.pixels and 'abs_rel' not in row:
            row.update(errors.summary())
            row['scenes_miou'] = confusion.mean_iou
    return row
