"""Networks, checkpoints and presets of the tests of ``network``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
import yaml
from reference_network import ReferenceNetwork, random_reference

from hydranet_ros.network.checkpoint_layouts import HEADS, from_official
from hydranet_ros.network.checkpoints import Checkpoint
from hydranet_ros.network.export_comparison import comparison_image, open_reference_session
from hydranet_ros.network.hydranet import HydraNet, HydraNetConfig, build_hydranet
from hydranet_ros.resources import config_file

SEGMENTATION_DEPTH = ('segm', 'depth')
ALL_TASKS = ('segm', 'depth', 'normal')


@cache
def reference(
    classes: int = 6, tasks: tuple[str, ...] = SEGMENTATION_DEPTH, align_corners: bool = False
) -> ReferenceNetwork:
    """Return a network of the official structure with random weights; do not change it."""
    return random_reference(classes, tasks, align_corners)


def official_network(classes: int = 6, tasks: tuple[str, ...] = SEGMENTATION_DEPTH) -> HydraNet:
    """Return a new network with the weights of :func:`reference`."""
    config = HydraNetConfig(num_classes=classes, tasks=tuple(HEADS[task] for task in tasks))
    state = from_official(reference(classes, tasks).state_dict())
    return Checkpoint(config, state, 'official').network()


def save_official(
    path: Path, classes: int = 6, tasks: tuple[str, ...] = SEGMENTATION_DEPTH
) -> Path:
    """Write a checkpoint of the official layout with the weights of :func:`reference`."""
    torch.save({'state_dict': reference(classes, tasks).state_dict()}, path)
    return path


def random_resnet(tasks: tuple[str, ...], align_corners: bool = True) -> HydraNet:
    """Return a network with a ResNet-18 whose batch statistics are random too."""
    torch.manual_seed(5)
    network = build_hydranet(
        HydraNetConfig('resnet18', 6, tasks, align_corners=align_corners), init='kaiming'
    )
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


def amplifying_network() -> HydraNet:
    """
    Return the official structure with weights by He et al. and batch statistics of an image.

    It amplifies rounding: in float32 its depth is a few millimeters off.
    """
    torch.manual_seed(0)
    network = build_hydranet(HydraNetConfig(num_classes=6))
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
        elif isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean of all batches
    with torch.no_grad():
        network.train()(network.normalize(torch.from_numpy(comparison_image(96, 128))[None]))
    return network.eval()


def small_preset(folder: Path, name: str) -> str:
    """
    Write a preset of ``config/`` with a small native size and return its path.

    Export traces and compares at the native size, which takes most of its time.
    """
    content = yaml.safe_load(config_file(f'{name}.yaml').read_text(encoding='utf-8'))
    for model in content['models'].values():
        model['export']['native_size'] = [64, 96]
    path = folder / f'{name}.yaml'
    path.write_text(yaml.safe_dump(content), encoding='utf-8')
    return str(path)


def run_model(path: Path, image: np.ndarray) -> dict[str, np.ndarray]:
    """Return the outputs of a model file for an image (H, W, 3) uint8, by name."""
    session = open_reference_session(path)
    names = [item.name for item in session.get_outputs()]
    return dict(zip(names, session.run(names, {'image': image[None]})))
