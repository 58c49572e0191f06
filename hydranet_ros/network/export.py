"""
Export: one self-describing ONNX graph from uint8 pixels to labels and metres.

The graph is compared with PyTorch on the same image, at two sizes, before the file is kept.
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
from hydranet_ros.network.export_module import (
    INTERNAL_SCALES,
    TARGETS,
    UPSAMPLINGS,
    DeployedNetwork,
    RewrittenDeployment,
)
from hydranet_ros.network.fit import require_fit
from hydranet_ros.network.graph_rewrites import rewrite_graph
from hydranet_ros.network.hydranet import MEAN, STD
from hydranet_ros.network.quantize import (
    Loss,
    calibration_pictures,
    measure_loss,
    quantise,
)

OPSET = 17
DEPTH_TOLERANCE = 1e-3
LABEL_TOLERANCE = 1e-3
NORMAL_TOLERANCE = 1e-3
CONFIDENCE_TOLERANCE = 2


@dataclass(frozen=True)
class ExportReport:
    """
    What the comparison found, worst over the sizes tried.

    :param labels: share of pixels whose class differs.
    :param depth: largest difference relative to the larger of the depth and 1 m.
    :param normals: largest difference of a component.
    :param confidence: largest difference, of 255.
    :param int8: what 8-bit integers changed after that, if they were asked for.
    """

    path: Path
    labels: float
    depth: float
    normals: float
    confidence: float
    info: ModelInfo
    int8: Loss | None = None


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
    say: Callable[[str], None] = print,
) -> ExportReport:
    """
    Write the model file of a checkpoint and return how far it is from PyTorch.

    :param preset: whose ``export`` facts (classes, depth range, ...) the file carries.
    :param domain: for a model of several domains, whose slice of the classes.
    :param target: ``cpu`` or ``gpu``, see :func:`write_graph`; either form runs everywhere.
    :param internal_scale: of the picture that the network sees; the answers keep the image's size.
    :param int8: folder of pictures to calibrate 8-bit integers with, ``None`` for float32.
    :raises ExportError: if graph and network disagree, or the disk is full; nothing is kept then.
    :raises CheckpointError: if the checkpoint does not fit the preset.
    """
    require_packages()
    for what, value, allowed in (
        ('Upsampling', upsampling, UPSAMPLINGS),
        ('Target', target, TARGETS),
        ('Internal scale', internal_scale, INTERNAL_SCALES),
    ):
        if value not in allowed:
            raise ExportError(f'{what} {value!r} is unknown; allowed: {allowed}.')
    pictures = calibration_pictures(int8) if int8 else []
    loaded = Preset.load(preset)
    facts = loaded.model(domain).export
    source = load_checkpoint(checkpoint)
    require_fit(source, checkpoint, facts, preset, facts.tasks)
    deployed = DeployedNetwork(
        source.network(), facts.class_slice, upsampling, internal_scale
    ).eval()
    info = _describe(loaded, domain, source, facts, deployed)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(output) as temporary:
            say(f'exporting {checkpoint.name} as {preset} ({source.origin} checkpoint)')
            write_graph(deployed, temporary, facts.native_size, info, 'gpu' if int8 else target)
            say('comparing the graph with PyTorch')
            report = compare(deployed, temporary, facts.native_size, output, info)
            if int8:
                say(f'calibrating 8-bit integers with {len(pictures)} pictures of {int8}')
                report = _to_int8(report, temporary, pictures)
    except OSError as err:
        raise ExportError(
            f'{output} cannot be written: {err.strerror or err}. Nothing was kept.'
        ) from err
    return report


def _to_int8(
    report: ExportReport, path: Path, pictures: Sequence[NDArray[np.uint8]]
) -> ExportReport:
    """Make the file one of 8-bit integers that carries what this changed among its metrics."""
    import onnx

    exact = path.with_name(path.name + '.exact')
    path.replace(exact)
    try:
        quantise(exact, path, pictures)
        loss = measure_loss(exact, path, pictures)
    finally:
        exact.unlink(missing_ok=True)
    changes = {'int8_labels_changed': loss.labels, 'int8_depth_changed': loss.depth}
    info = replace(report.info, metrics={**report.info.metrics, **changes})
    model = onnx.load(str(path))
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, info.to_metadata())
    path.write_bytes(model.SerializeToString())
    return replace(report, info=info, int8=loss)


def require_packages() -> None:
    """
    Check for what export needs beside PyTorch, before any work is done.

    :raises MissingDependencyError: naming the extra to install.
    """
    for name, extra in (('onnx', 'train'), ('onnxruntime', 'cpu')):
        if find_spec(name) is None:
            raise MissingDependencyError(
                f"The package {name} is needed to export: pip install 'hydranet_ros[{extra}]'"
            )


def _describe(
    preset: Preset, domain: str, source: Checkpoint, facts: ExportFacts, deployed: DeployedNetwork
) -> ModelInfo:  # fmt: skip
    """
    Return what the file says of itself.

    A network that sees a smaller picture sees it with a shorter focal length: for whoever knows
    the camera's own, the network was trained with one longer by as much.
    """
    height, width = (round(side / deployed.internal_scale) for side in facts.image_size)
    return ModelInfo(
        preset=preset.name,
        encoder=source.config.encoder,
        tasks=source.config.tasks,
        classes=facts.classes,
        depth_range=facts.depth_range,
        training_focal_length=facts.focal_length / deployed.internal_scale,
        training_image_size=(height, width),
        native_size=facts.native_size,
        license=facts.license,
        training_data=facts.training_data,
        weights_sha256=weights_digest(deployed.network),
        domain=domain or preset.domain,
        mean=MEAN,
        std=STD,
        upsampling=deployed.upsampling,
        metrics=dict(facts.metrics),
    )


def write_graph(
    deployed: DeployedNetwork,
    path: Path,
    size: tuple[int, int],
    info: ModelInfo,
    target: str = 'cpu',
) -> None:
    """
    Write the ONNX file with its metadata; any H x W is accepted by the graph.

    For ``cpu`` the graph is rewritten (:mod:`hydranet_ros.network.rewrites`); for ``gpu`` it is
    the network as it stands, which TensorRT and CUDA fuse themselves.

    The exporter folds batch norm into the convolutions. The mean is subtracted rather than
    folded into the first convolution, whose zero padding would stand for another colour at the
    border then. ONNX Runtime computes every output, asked for or not (1.31 ignores
    ``only_execute_path_to_fetches``): :mod:`hydranet_ros.inference.subgraph` takes out what is not wanted.
    """
    import onnx

    module = RewrittenDeployment(deployed).eval() if target == 'cpu' else deployed
    names = deployed.output_names
    dynamic = {'image': {1: 'height', 2: 'width'}}
    dynamic.update({name: {1: 'height', 2: 'width'} for name in names})
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('ignore')
        torch.onnx.export(
            module, (torch.zeros(1, *size, 3, dtype=torch.uint8),), str(path),
            input_names=['image'], output_names=names, dynamic_axes=dynamic,
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    model = onnx.load(str(path))
    if target == 'cpu':
        rewrite_graph(model)
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
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    limits = {
        'labels': LABEL_TOLERANCE,
        'depth': DEPTH_TOLERANCE,
        'normals': NORMAL_TOLERANCE,
        'confidence': CONFIDENCE_TOLERANCE,
    }
    worst = dict.fromkeys(limits, 0.0)
    for height, width in (size, (size[0] // 2 + 7, size[1] // 2 + 5)):
        image = test_image(height, width)
        with torch.no_grad():
            expected = deployed(torch.from_numpy(image)[None])
        found = session.run(deployed.output_names, {'image': image[None]})
        for name, want, got in zip(deployed.output_names, expected, found):
            difference = _difference(name, want.numpy(), got)
            worst[name] = float(np.maximum(worst[name], difference))
    for name, value in worst.items():
        if not value <= limits[name]:
            raise ExportError(
                f'{name} of the exported graph differ from PyTorch by {value:.3g}; allowed: '
                f'{limits[name]:g}. The file was not kept.'
            )
    return ExportReport(
        final, worst['labels'], worst['depth'], worst['normals'], worst['confidence'], info
    )


def _difference(name: str, want: NDArray, got: NDArray) -> float:
    if name == 'labels':
        return float((want != got).mean())
    scale = np.maximum(np.abs(want), 1.0) if name == 'depth' else 1.0
    return float((np.abs(want.astype(np.float64) - got) / scale).max())


def test_image(height: int, width: int) -> NDArray[np.uint8]:
    """Return a picture, (height, width, 3) uint8, with gradients, edges and noise."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    base = np.stack(
        [255 * x / width, 255 * y / height, 127 + 120 * np.sin(x / 23) * np.cos(y / 31)], -1
    )
    base[height // 3 : height // 2, width // 4 : width // 2] = (30, 60, 90)
    return np.clip(base + rng.normal(0, 12, base.shape), 0, 255).astype(np.uint8)


test_image.__test__ = False  # type: ignore[attr-defined]
