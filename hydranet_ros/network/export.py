"""
Export: one self-describing ONNX graph from uint8 pixels to labels and metres.

The graph is compared with PyTorch on the same image, at two sizes, before the file is kept.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hydranet_ros.errors import CheckpointError, ExportError, MissingDependencyError
from hydranet_ros.model_info import ModelInfo
from hydranet_ros.network.checkpoints import Checkpoint, load_checkpoint, weights_digest
from hydranet_ros.network.hydranet import MEAN, STD, HydraNet
from hydranet_ros.preset import ExportFacts, Preset

OPSET = 17
DEPTH_TOLERANCE = 1e-3
LABEL_TOLERANCE = 1e-3
NORMAL_TOLERANCE = 1e-3
UPSAMPLINGS = ('bilinear', 'bicubic')


@dataclass(frozen=True)
class ExportReport:
    """
    What the comparison found, worst over the sizes tried.

    :param labels: share of pixels whose class differs.
    :param depth: largest difference relative to the larger of the depth and 1 m.
    """

    path: Path
    labels: float
    depth: float
    normals: float
    info: ModelInfo


class DeployedNetwork(nn.Module):
    """
    The network as the model file has it: pixels in, published arrays out.

    :param class_slice: (first, last + 1) channel of the segmentation head, ``None`` for all.
    """

    def __init__(
        self, network: HydraNet, class_slice: tuple[int, int] | None = None,
        upsampling: str = 'bilinear',
    ) -> None:  # fmt: skip
        super().__init__()
        self.network = network
        self.class_slice = class_slice
        self.upsampling = upsampling
        self.register_buffer('offset', 255 * torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer('factor', 1 / (255 * torch.tensor(STD).view(1, 3, 1, 1)))

    @property
    def output_names(self) -> list[str]:
        """Return the names of the graph's outputs, in order."""
        names = []
        tasks = self.network.config.tasks
        if 'segmentation' in tasks:
            names += ['labels', 'confidence']
        return names + [task for task in ('depth', 'normals') if task in tasks]

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """
        Run on one image.

        :param image: (1, H, W, 3) uint8 RGB.
        :returns: what :attr:`output_names` says: labels (1, H, W) uint8; confidence (1, H, W)
            uint8, 255 times the winning probability; depth (1, H, W) float32 metres; normals
            (1, H, W, 3) float32 unit vectors in the optical frame.
        """
        size = image.shape[1:3]
        normalised = (image.permute(0, 3, 1, 2).float() - self.offset) * self.factor
        found = self.network(normalised)
        outputs: list[Tensor] = []
        if 'segmentation' in found:
            outputs += self._classes(found['segmentation'], size)
        if 'depth' in found:
            outputs.append(self._resize(found['depth'], size)[:, 0].abs())
        if 'normals' in found:
            outputs.append(self._normals(found['normals'], size))
        return tuple(outputs)

    def _resize(self, x: Tensor, size) -> Tensor:
        return functional.interpolate(x, size=size, mode=self.upsampling, align_corners=False)

    def _classes(self, logits: Tensor, size) -> list[Tensor]:
        """Bring logits to the image's size, then decide; class ids are never resized."""
        if self.class_slice is not None:
            logits = logits[:, self.class_slice[0] : self.class_slice[1]]
        full = self._resize(logits, size)
        labels = full.argmax(1).to(torch.uint8)
        probability = 1 / (full - full.amax(1, keepdim=True)).exp().sum(1)
        return [labels, (probability * 255).round().to(torch.uint8)]

    def _normals(self, x: Tensor, size) -> Tensor:
        """
        Return unit vectors x right, y down, z ahead, pointing towards the camera.

        The official channels are x, z, y with y up and z towards the camera, as its own
        colouring, (x + 1) / 2, (z + 1) / 2, (1 - y) / 2, shows.
        """
        x = functional.normalize(self._resize(x, size), dim=1)
        return torch.stack([x[:, 0], -x[:, 2], -x[:, 1]], -1)


def export_checkpoint(
    checkpoint: Path,
    preset: str,
    output: Path,
    *,
    domain: str = '',
    upsampling: str = 'bilinear',
    say: Callable[[str], None] = print,
) -> ExportReport:
    """
    Write the model file of a checkpoint and return how far it is from PyTorch.

    :param preset: whose ``export`` facts (classes, depth range, ...) the file carries.
    :param domain: for a model of several domains, whose slice of the classes.
    :raises ExportError: if graph and network disagree; nothing is kept then.
    :raises CheckpointError: if the checkpoint does not fit the preset.
    """
    if upsampling not in UPSAMPLINGS:
        raise ExportError(f'Upsampling {upsampling!r} is unknown; allowed: {UPSAMPLINGS}.')
    loaded = Preset.load(preset)
    facts = loaded.model(domain).export
    source = load_checkpoint(checkpoint)
    _check_fits(source, facts, preset)
    deployed = DeployedNetwork(source.network(), facts.class_slice, upsampling).eval()
    info = _describe(loaded, domain, source, facts, upsampling, deployed.network)
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(output.name + '.part')
    try:
        say(f'exporting {checkpoint.name} as {preset} ({source.origin} checkpoint)')
        write_graph(deployed, temporary, facts.native_size, info)
        say('comparing the graph with PyTorch')
        report = compare(deployed, temporary, facts.native_size, output, info)
        os.replace(temporary, output)
    finally:
        temporary.unlink(missing_ok=True)
    return report


def _check_fits(source: Checkpoint, facts: ExportFacts, preset: str) -> None:
    missing = set(facts.tasks) - set(source.config.tasks)
    needed = facts.class_slice[1] if facts.class_slice else len(facts.classes)
    exact = facts.class_slice is not None or source.config.num_classes == needed
    if missing or source.config.num_classes < needed or not exact:
        raise CheckpointError(
            f'The checkpoint has tasks {list(source.config.tasks)} and '
            f'{source.config.num_classes} classes; preset {preset!r} needs {list(facts.tasks)} '
            f'and {needed} classes. Choose the preset that belongs to the checkpoint.'
        )


def _describe(
    preset: Preset, domain: str, source: Checkpoint, facts: ExportFacts, upsampling: str,
    network: HydraNet,
) -> ModelInfo:  # fmt: skip
    return ModelInfo(
        preset=preset.name,
        encoder=source.config.encoder,
        tasks=source.config.tasks,
        classes=facts.classes,
        depth_range=facts.depth_range,
        training_focal_length=facts.focal_length,
        training_image_size=facts.image_size,
        native_size=facts.native_size,
        licence=facts.licence,
        training_data=facts.training_data,
        weights_sha256=weights_digest(network),
        domain=domain or preset.domain,
        mean=MEAN,
        std=STD,
        upsampling=upsampling,
        metrics=dict(facts.metrics),
    )


def write_graph(
    deployed: DeployedNetwork, path: Path, size: tuple[int, int], info: ModelInfo
) -> None:
    """Write the ONNX file with its metadata; any H x W is accepted by the graph."""
    try:
        import onnx
    except ImportError as err:
        raise MissingDependencyError(
            "The package onnx is needed to export: pip install 'hydranet_ros[train]'"
        ) from err
    names = deployed.output_names
    dynamic = {'image': {1: 'height', 2: 'width'}}
    dynamic.update({name: {1: 'height', 2: 'width'} for name in names})
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('ignore')
        torch.onnx.export(
            deployed, (torch.zeros(1, *size, 3, dtype=torch.uint8),), str(path),
            input_names=['image'], output_names=names, dynamic_axes=dynamic,
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, info.to_metadata())
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def compare(
    deployed: DeployedNetwork, path: Path, size: tuple[int, int], final: Path, info: ModelInfo
) -> ExportReport:
    """
    Run graph and network on the same images at two sizes.

    :raises ExportError: above the tolerances.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(path), options, providers=['CPUExecutionProvider']
    )
    worst = {'labels': 0.0, 'depth': 0.0, 'normals': 0.0}
    for height, width in (size, (size[0] // 2 + 7, size[1] // 2 + 5)):
        image = test_image(height, width)
        with torch.no_grad():
            expected = deployed(torch.from_numpy(image)[None])
        found = session.run(deployed.output_names, {'image': image[None]})
        for name, want, got in zip(deployed.output_names, expected, found):
            if name in worst:
                worst[name] = max(worst[name], _difference(name, want.numpy(), got))
    limits = {'labels': LABEL_TOLERANCE, 'depth': DEPTH_TOLERANCE, 'normals': NORMAL_TOLERANCE}
    for name, value in worst.items():
        if not value <= limits[name]:
            raise ExportError(
                f'{name} of the exported graph differ from PyTorch by {value:.3g}; allowed: '
                f'{limits[name]:g}. The file was not kept.'
            )
    return ExportReport(final, worst['labels'], worst['depth'], worst['normals'], info)


def _difference(name: str, want: NDArray, got: NDArray) -> float:
    if name == 'labels':
        return float((want != got).mean())
    scale = np.maximum(np.abs(want), 1.0)
    return float((np.abs(want - got) / scale).max())


def test_image(height: int, width: int) -> NDArray[np.uint8]:
    """Return a picture, (height, width, 3) uint8, with gradients, edges and noise."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    base = np.stack([255 * x / width, 255 * y / height, 127 + 120 * np.sin(x / 23) * np.cos(y / 31)], -1)
    base[height // 3 : height // 2, width // 4 : width // 2] = (30, 60, 90)
    return np.clip(base + rng.normal(0, 12, base.shape), 0, 255).astype(np.uint8)


test_image.__test__ = False  # type: ignore[attr-defined]
