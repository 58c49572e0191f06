"""The official network structure with random weights, and its export by this package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hydranet_ros.network.hydranet import HydraNet

SEED = 0


def official_network(classes: int = 6, seed: int = SEED) -> HydraNet:
    """
    Return the official structure for segmentation and depth, in evaluation mode.

    As in the official code, each 5x5 max pool is one module and batch norm is not fused into the
    convolutions. The weights are random, with batch norm statistics in the range of a trained
    network: the run time does not depend on the values.

    :param classes: number of outputs of the segmentation head.
    """
    import torch
    from torch import nn

    from hydranet_ros.network.decoders import MaxPool5
    from hydranet_ros.network.hydranet import HydraNetConfig, build_hydranet

    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_hydranet(HydraNetConfig(num_classes=classes), init='kaiming').eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.7, 1.4, generator=generator)
        for name, child in module.named_children():
            if isinstance(child, MaxPool5):
                setattr(module, name, nn.MaxPool2d(5, stride=1, padding=2))
    for name, weight in network.decoder.named_parameters():
        if name.endswith('pre.weight'):  # equal weights of both heads would be computed only once
            nn.init.uniform_(weight, 0.5, 1.5, generator=generator)
    return network


def export_model(network: HydraNet, path: Path, upsampling: str = 'bilinear') -> Path:
    """
    Export these weights as ``hydranet export`` does; return the path of the model file.

    :raises MissingDependencyError: if onnx is not installed.
    """
    from hydranet_ros.model_files.metadata import ModelInfo
    from hydranet_ros.model_files.preset import Preset
    from hydranet_ros.network.export import require_packages, write_graph
    from hydranet_ros.network.export_module import ExportModule
    from hydranet_ros.network.hydranet import HydraNet

    require_packages()
    ours = HydraNet(network.config).eval()
    ours.load_state_dict(network.state_dict())
    preset = 'nyud' if network.config.num_classes > 6 else 'street'
    facts = Preset.load(preset).model().export
    info = ModelInfo(
        preset, network.config.encoder, network.config.tasks, facts.classes, facts.depth_range,
        facts.focal_length, facts.image_size, facts.native_size, 'none', 'none', '0' * 64,
        upsampling=upsampling,
    )  # fmt: skip
    write_graph(ExportModule(ours, None, upsampling).eval(), path, facts.native_size, info, 'cpu')
    return path
