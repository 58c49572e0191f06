"""
A checkpoint or an exported model, and what it says of an image.

The engine of the node runs an exported model. A checkpoint runs as the part of the graph that
export would write (:mod:`hydranet_ros.network.export_module`): logits are resized to the image's
size before the argmax, depth is an absolute value, normals are in the optical frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hydranet_ros.errors import ModelError
from hydranet_ros.files import sha256_of
from hydranet_ros.model_files.metadata import ClassInfo
from hydranet_ros.model_files.preset import ExportFacts, Preset
from hydranet_ros.network.checkpoints import Checkpoint, load_checkpoint, weights_digest
from hydranet_ros.network.export_module import DeployedNetwork
from hydranet_ros.network.hydranet import HydraNet
from hydranet_ros.resources import find_model
from hydranet_ros.training.evaluation.tally import Predictor

OUTPUT_OF_TASK = {'segmentation': 'labels', 'depth': 'depth', 'normals': 'normals'}
# Whose classes, focal length and depth range a checkpoint without them has, by its classes.
_PRESET_BY_CLASSES = {6: 'kitti', 40: 'nyud', 46: 'nyud_kitti'}


@dataclass(frozen=True)
class LoadedModel:
    """
    A model ready to be measured.

    :param focal_length: pixels, of the camera whose depth scale it has.
    :param depth_range: metres, of its training data.
    :param facts: what it is, for a report.
    :param close: frees it.
    """

    path: Path
    predict: Predictor
    tasks: tuple[str, ...]
    classes: tuple[ClassInfo, ...]
    focal_length: float
    depth_range: tuple[float, float]
    facts: Mapping[str, Any]
    close: Callable[[], None]


def open_model(
    name: str,
    *,
    preset: str = '',
    domain: str = '',
    provider: str = 'auto',
    threads: int = 0,
    classes: tuple[ClassInfo, ...] = (),
) -> LoadedModel:
    """
    Open an exported ``.onnx``, or a checkpoint of any known layout.

    :param name: a path, or the name of a model file that the node would find.
    :param preset: whose classes, focal length and depth range a checkpoint has; without it, the
        paper's preset of as many classes. An exported model says so itself.
    :param domain: for a checkpoint of several domains, whose slice of the classes; without it,
        the one with the classes of the data, else the preset's own.
    :param provider: of ONNX Runtime, for an exported model.
    :param classes: those of the data to be measured on.
    :raises HydranetError: if the file cannot be used, saying why.
    """
    if name.lower().endswith('.onnx'):
        if preset or domain:
            raise ModelError(
                f'{name} carries its own classes and ranges: leave --preset and --domain out.'
            )
        return _open_exported(find_model(name), provider, threads)
    return _open_checkpoint(Path(name), preset, domain, classes)


def _open_exported(path: Path, provider: str, threads: int) -> LoadedModel:
    from hydranet_ros.inference.engine import Engine, EngineOptions

    engine = Engine(path, EngineOptions(provider=provider, threads=threads))
    info = engine.info
    wanted = frozenset(OUTPUT_OF_TASK[task] for task in info.tasks)

    def run(image: NDArray[np.uint8]) -> dict[str, NDArray]:
        found = engine.infer(image, wanted)
        return {name: getattr(found, name) for name in wanted}

    facts = {
        'kind': 'exported', 'provider': engine.provider, 'preset': info.preset,
        'domain': info.domain, 'encoder': info.encoder, 'weights_sha256': info.weights_sha256,
        'training_data': info.training_data, 'licence': info.licence,
    }  # fmt: skip
    return _loaded(
        path, run, info.tasks, info.classes, info.training_focal_length, info.depth_range, facts,
        engine.close,
    )  # fmt: skip


def _open_checkpoint(
    path: Path, preset: str, domain: str, data_classes: tuple[ClassInfo, ...]
) -> LoadedModel:
    checkpoint = load_checkpoint(path)
    name = preset or _preset_of(checkpoint, path)
    loaded = Preset.load(name)
    domain = domain or _domain_of(loaded, data_classes)
    export = loaded.model(domain).export
    _check_fits(checkpoint, export, name, path)
    network = checkpoint.network()
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    run = network_predictor(network.to(device), export.class_slice)
    facts = {
        'kind': 'checkpoint', 'origin': checkpoint.origin, 'device': device, 'preset': name,
        'domain': domain, 'encoder': checkpoint.config.encoder,
        'weights_sha256': weights_digest(network),
    }  # fmt: skip
    tasks = checkpoint.config.tasks
    classes = export.classes if 'segmentation' in tasks else ()
    return _loaded(
        path, run, tasks, classes, export.focal_length, export.depth_range, facts, lambda: None
    )


def _loaded(
    path: Path, run: Predictor, tasks: tuple[str, ...], classes: tuple[ClassInfo, ...],
    focal_length: float, depth_range: tuple[float, float], facts: Mapping[str, Any],
    close: Callable[[], None],
) -> LoadedModel:  # fmt: skip
    facts = {
        'file': path.name, 'sha256': sha256_of(path), **facts,
        'tasks': list(tasks), 'classes': [item.name for item in classes],
        'training_focal_length': focal_length, 'depth_range': list(depth_range),
    }  # fmt: skip
    return LoadedModel(path, run, tasks, classes, focal_length, depth_range, facts, close)


def _preset_of(checkpoint: Checkpoint, path: Path) -> str:
    classes = checkpoint.config.num_classes
    if classes not in _PRESET_BY_CLASSES:
        raise ModelError(
            f'{path} has {classes} classes, which no preset of the paper has '
            f'({sorted(_PRESET_BY_CLASSES)}). Say whose classes they are with --preset.'
        )
    return _PRESET_BY_CLASSES[classes]


def _domain_of(preset: Preset, classes: tuple[ClassInfo, ...]) -> str:
    for domain, choice in preset.models.items():
        if choice.export.classes == classes:
            return domain
    return preset.domain


def _check_fits(checkpoint: Checkpoint, export: ExportFacts, preset: str, path: Path) -> None:
    has = checkpoint.config.num_classes
    needed = export.class_slice[1] if export.class_slice else len(export.classes)
    fits = has >= needed if export.class_slice else has == needed
    if 'segmentation' in checkpoint.config.tasks and not fits:
        raise ModelError(
            f'{path} has {has} classes; preset {preset!r} has {needed}. Choose the preset that '
            'belongs to the checkpoint with --preset.'
        )


def network_predictor(network: HydraNet, class_slice: tuple[int, int] | None = None) -> Predictor:
    """
    Return a predictor that runs a network, put into evaluation mode, on the device it is on.

    :param class_slice: (first, last + 1) channel of the segmentation head to choose among.
    """
    network = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    device = next(network.parameters()).device
    deployed = DeployedNetwork(network, class_slice).eval().to(device)

    @torch.no_grad()
    def run(image: NDArray[np.uint8]) -> dict[str, NDArray]:
        pixels = torch.from_numpy(np.ascontiguousarray(image))[None].to(device)
        found = dict(zip(deployed.output_names, deployed(pixels)))
        return {name: found[name][0].cpu().numpy() for name in found if name != 'confidence'}

    return run
