"""
Models that predict labels, depth and normals for an image.

An exported model runs in the node's engine. A checkpoint runs in PyTorch as the graph that export
would write (:mod:`hydranet_ros.network.export_module`): logits are resized to the image's size
before the argmax, depth is an absolute value, normals are in the optical frame.
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
from hydranet_ros.model_files.resolve import find_model
from hydranet_ros.network.checkpoints import weights_digest
from hydranet_ros.network.export_module import ExportModule
from hydranet_ros.network.hydranet import HydraNet
from hydranet_ros.training.evaluation.tally import Predictor
from hydranet_ros.training.open_model import is_exported, open_checkpoint, open_engine

OUTPUT_OF_TASK = {'segmentation': 'labels', 'depth': 'depth', 'normals': 'normals'}


@dataclass(frozen=True)
class LoadedModel:
    """
    A model ready to be measured.

    :param focal_length: pixels, of the camera whose depth scale the model has.
    :param depth_range: meters, of its training data.
    :param facts: description of the model for a report.
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


def load_model(
    name: str,
    *,
    preset: str = '',
    domain: str = '',
    provider: str = 'auto',
    precision: str = 'float32',
    threads: int = 0,
    classes: tuple[ClassInfo, ...] = (),
) -> LoadedModel:
    """
    Open an exported ``.onnx``, or a checkpoint of any known layout.

    :param name: a path, or the name of a model file that the node would find.
    :param preset: of a checkpoint; see :func:`~hydranet_ros.training.open_model.open_checkpoint`.
    :param domain: of a checkpoint.
    :param provider: of an exported model.
    :param precision: of an exported model.
    :param threads: ONNX Runtime's; 0 for all cores.
    :param classes: classes of the data to be measured.
    :raises HydranetError: if the file cannot be used, giving the reason.
    """
    if not is_exported(name):
        return _load_checkpoint(Path(name), preset, domain, classes)
    if preset or domain:
        raise ModelError(
            f'{name} contains its own classes and ranges. Remove --preset and --domain.'
        )
    return _load_exported(find_model(name), provider, threads, precision)


def _load_exported(path: Path, provider: str, threads: int, precision: str) -> LoadedModel:
    engine = open_engine(path, provider, threads, precision)
    info = engine.info
    outputs = frozenset(OUTPUT_OF_TASK[task] for task in info.tasks)

    def run(image: NDArray[np.uint8]) -> dict[str, NDArray]:
        prediction = engine.infer(image, outputs)
        return {name: getattr(prediction, name) for name in outputs}

    facts = {
        'kind': 'exported', 'provider': engine.provider, 'precision': engine.precision,
        'preset': info.preset,
        'domain': info.domain, 'encoder': info.encoder, 'weights_sha256': info.weights_sha256,
        'training_data': info.training_data, 'license': info.license,
    }  # fmt: skip
    return _loaded(
        path, run, info.tasks, info.classes, info.training_focal_length, info.depth_range, facts,
        engine.close,
    )  # fmt: skip


def _load_checkpoint(
    path: Path, preset: str, domain: str, data_classes: tuple[ClassInfo, ...]
) -> LoadedModel:
    opened = open_checkpoint(path, preset, domain, data_classes)
    run = network_predictor(opened.network, opened.facts.class_slice)
    facts = {
        'kind': 'checkpoint', 'origin': opened.origin, 'device': opened.device,
        'preset': opened.preset, 'domain': opened.domain,
        'encoder': opened.network.config.encoder,
        'weights_sha256': weights_digest(opened.network),
    }  # fmt: skip
    classes = opened.facts.classes if 'segmentation' in opened.tasks else ()
    return _loaded(
        path, run, opened.tasks, classes, opened.facts.focal_length, opened.facts.depth_range,
        facts, lambda: None,
    )  # fmt: skip


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


def network_predictor(network: HydraNet, class_slice: tuple[int, int] | None = None) -> Predictor:
    """
    Return a predictor that runs a network on its device, in evaluation mode.

    :param class_slice: (first, last + 1) channel of the segmentation head to choose among.
    """
    network = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    device = next(network.parameters()).device
    deployed = ExportModule(network, class_slice).eval().to(device)

    @torch.no_grad()
    def run(image: NDArray[np.uint8]) -> dict[str, NDArray]:
        pixels = torch.from_numpy(np.ascontiguousarray(image))[None].to(device)
        outputs = dict(zip(deployed.output_names, deployed(pixels)))
        return {name: outputs[name][0].cpu().numpy() for name in outputs if name != 'confidence'}

    return run
