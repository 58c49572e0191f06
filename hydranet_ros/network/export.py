"""
Export a checkpoint to one ONNX file from uint8 pixels to labels and meters.

The file contains its own metadata. It is written only if its graph agrees with PyTorch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hydranet_ros.errors import ExportError, MissingDependencyError
from hydranet_ros.files import atomic_path
from hydranet_ros.model_files.metadata import ModelInfo
from hydranet_ros.model_files.preset import ExportFacts, Preset
from hydranet_ros.network.checkpoints import Checkpoint, load_checkpoint, weights_digest
from hydranet_ros.network.export_comparison import GraphDifferences, compare_graph
from hydranet_ros.network.export_module import (
    INTERNAL_SCALES,
    TARGETS,
    UPSAMPLINGS,
    ExportModule,
    RewrittenExportModule,
)
from hydranet_ros.network.fit import require_fit
from hydranet_ros.network.graph_rewrites import rewrite_graph
from hydranet_ros.network.hydranet import MEAN, STD
from hydranet_ros.network.quantize import (
    QuantizationLoss,
    calibration_images,
    measure_quantization_loss,
    quantize,
)

OPSET = 17


@dataclass(frozen=True)
class ExportReport:
    """
    A written model file.

    :param differences: from PyTorch, before quantization.
    :param quantization: what INT8 changed, ``None`` for float32.
    """

    path: Path
    info: ModelInfo
    differences: GraphDifferences
    quantization: QuantizationLoss | None = None


def export_checkpoint(
    checkpoint: Path,
    preset: str,
    output: Path,
    *,
    domain: str = '',
    upsampling: str = 'bilinear',
    target: str = 'cpu',
    internal_scale: float = 1.0,
    int8: Path | None = None,
    log: Callable[[str], None] = print,
) -> ExportReport:
    """
    Write the model file of a checkpoint, atomically.

    :param preset: provides the metadata: classes, depth range, focal length and others.
    :param domain: selects the classes of a model with several domains; by default the preset's.
    :param upsampling: one of :data:`~hydranet_ros.network.export_module.UPSAMPLINGS`.
    :param target: ``cpu`` or ``gpu``, see :func:`write_graph`. Both forms run everywhere.
    :param internal_scale: one of :data:`~hydranet_ros.network.export_module.INTERNAL_SCALES`.
    :param int8: folder of calibration images, ``None`` for float32. INT8 implies the form for
        ``gpu``.
    :param log: receives a line before each step.
    :raises ExportError: if an option is unknown, the graph disagrees with PyTorch, INT8 changes
        too much, or the file cannot be written.
    :raises CheckpointError: if the checkpoint cannot be read or does not fit the preset.
    :raises PresetError: if the preset or its domain does not exist.
    :raises MissingDependencyError: see :func:`require_packages`.
    """
    require_packages()
    _require_allowed(upsampling=upsampling, target=target, internal_scale=internal_scale)
    images = calibration_images(int8) if int8 else []
    loaded = Preset.load(preset)
    facts = loaded.model(domain).export
    source = load_checkpoint(checkpoint)
    require_fit(source, checkpoint, facts, preset, facts.tasks)
    module = ExportModule(source.network(), facts.class_slice, upsampling, internal_scale).eval()
    info = _metadata(loaded, domain, source, facts, module)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(output) as temporary:
            log(f'Exporting {checkpoint.name} ({source.origin} checkpoint) for preset {preset}.')
            write_graph(module, temporary, facts.native_size, info, 'gpu' if int8 else target)
            log('Comparing the graph with PyTorch.')
            differences = compare_graph(module, temporary, facts.native_size)
            report = ExportReport(output, info, differences)
            if int8:
                log(f'Calibrating INT8 with {len(images)} images of {int8}.')
                report = _quantized(report, temporary, images)
    except OSError as err:
        raise ExportError(
            f'{output} cannot be written: {err.strerror or err}. No file was written.'
        ) from err
    return report


def _require_allowed(upsampling: str, target: str, internal_scale: float) -> None:
    for name, value, allowed in (
        ('upsampling', upsampling, UPSAMPLINGS),
        ('target', target, TARGETS),
        ('internal_scale', internal_scale, INTERNAL_SCALES),
    ):
        if value not in allowed:
            raise ExportError(f'{name} is {value!r}; allowed: {", ".join(map(str, allowed))}.')


def _quantized(
    report: ExportReport, path: Path, images: Sequence[NDArray[np.uint8]]
) -> ExportReport:
    """Replace a float32 file by its INT8 form; record the change among its metrics."""
    import onnx

    exact = path.with_name(path.name + '.exact')
    path.replace(exact)
    try:
        quantize(exact, path, images)
        loss = measure_quantization_loss(exact, path, images)
    finally:
        exact.unlink(missing_ok=True)
    changes = {'int8_labels_changed': loss.labels, 'int8_depth_changed': loss.depth}
    info = replace(report.info, metrics={**report.info.metrics, **changes})
    model = onnx.load(str(path))
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, info.to_metadata())
    path.write_bytes(model.SerializeToString())
    return replace(report, info=info, quantization=loss)


def require_packages() -> None:
    """
    Check that the packages that export needs beside PyTorch are installed.

    :raises MissingDependencyError: with the command that installs them.
    """
    for name, extra in (('onnx', 'train'), ('onnxruntime', 'cpu')):
        if find_spec(name) is None:
            raise MissingDependencyError(
                f"Export needs the package {name}: pip install 'hydranet_ros[{extra}]'"
            )


def _metadata(
    preset: Preset, domain: str, source: Checkpoint, facts: ExportFacts, module: ExportModule
) -> ModelInfo:  # fmt: skip
    """
    Return the metadata of the file.

    A network that runs on a smaller image sees a shorter focal length. The file's training focal
    length is longer by the same factor, so that depth from the camera's own focal length is right.
    """
    height, width = (round(side / module.internal_scale) for side in facts.image_size)
    return ModelInfo(
        preset=preset.name,
        encoder=source.config.encoder,
        tasks=source.config.tasks,
        classes=facts.classes,
        depth_range=facts.depth_range,
        training_focal_length=facts.focal_length / module.internal_scale,
        training_image_size=(height, width),
        native_size=facts.native_size,
        license=facts.license,
        training_data=facts.training_data,
        weights_sha256=weights_digest(module.network),
        domain=domain or preset.domain,
        mean=MEAN,
        std=STD,
        upsampling=module.upsampling,
        metrics=dict(facts.metrics),
    )


def write_graph(
    module: ExportModule,
    path: Path,
    size: tuple[int, int],
    info: ModelInfo,
    target: str = 'cpu',
) -> None:
    """
    Write an ONNX file with its metadata.

    For ``cpu`` the graph is rewritten (:mod:`hydranet_ros.network.rewrites`). For ``gpu`` it is
    the plain network, which TensorRT and CUDA fuse themselves. The exporter folds batch norm into
    the convolutions in both.

    ONNX Runtime computes all outputs, requested or not (1.31 ignores
    ``only_execute_path_to_fetches``); :mod:`hydranet_ros.inference.subgraph` removes the others.

    :param size: (height, width) of the traced image; the graph accepts any.
    """
    import onnx

    traced = RewrittenExportModule(module).eval() if target == 'cpu' else module
    names = module.output_names
    dynamic = {name: {1: 'height', 2: 'width'} for name in ('image', *names)}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('ignore')
        torch.onnx.export(
            traced, (torch.zeros(1, *size, 3, dtype=torch.uint8),), str(path),
            input_names=['image'], output_names=names, dynamic_axes=dynamic,
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    model = onnx.load(str(path))
    if target == 'cpu':
        rewrite_graph(model)
    onnx.helper.set_model_props(model, info.to_metadata())
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
