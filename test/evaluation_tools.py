"""Data sets and checkpoints for the tests of evaluation."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Annotate = Callable[[int, NDArray[np.uint8]], NDArray]


def write_set(
    root: Path,
    images: Sequence[NDArray[np.uint8]],
    *,
    labels: Annotate | None = None,
    depth: Annotate | None = None,
    focal_length: float = 0.0,
) -> str:
    """Write a folder data set, labels and depth made from the images; return its source."""
    for name in ('images', 'labels', 'depth'):
        (root / name).mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        cv2.imwrite(str(root / 'images' / f'{i}.png'), image[..., ::-1])
        if labels is not None:
            cv2.imwrite(str(root / 'labels' / f'{i}.png'), labels(i, image))
        if depth is not None:
            stored = np.rint(depth(i, image) * 1000).astype(np.uint16)
            cv2.imwrite(str(root / 'depth' / f'{i}.png'), stored)
    manifest = {'depth_scale': 1000, 'focal_length': focal_length}
    (root / 'manifest.json').write_text(json.dumps(manifest))
    return f'folder:{root}'


def write_checkpoint(path: Path, classes: int, tasks: Sequence[str], **head: Any) -> Path:
    """
    Write a checkpoint of random weights.

    :param head: ``scale`` multiplies the weights of all heads, so that the predictions vary over
        the image; ``std`` draws those of the segmentation head; ``bias`` sets that of its first
        class.
    """
    import torch

    from hydranet_ros.network.checkpoints import save_checkpoint
    from hydranet_ros.network.hydranet import HydraNetConfig, build_hydranet

    torch.manual_seed(head.get('seed', classes))
    config = HydraNetConfig('mobilenet_v2', classes, tuple(tasks))
    network = build_hydranet(config, init='kaiming')
    with torch.no_grad():
        for task, part in network.decoder.heads.items():
            part.out.weight.mul_(head.get('scale', 1))
            if task == 'segmentation' and 'std' in head:
                torch.nn.init.normal_(part.out.weight, std=head['std'])
            if task == 'segmentation' and 'bias' in head:
                part.out.bias[0] = head['bias']
    save_checkpoint(network, path)
    return path
