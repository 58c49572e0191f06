"""
Export a checkpoint to ONNX files from uint8 pixels to labels and meters.

Two forms of the model are written: ``NAME.onnx`` is portable, which means right in every runtime,
and ``NAME.cpu.onnx`` is rewritten for ONNX Runtime's CPU provider; INT8 is a third. Each contains
its own metadata and a self-test. Nothing is written unless every graph agrees with PyTorch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hydranet_ros.errors import ExportError, MissingDependencyError
from hydranet_ros.files import atomic_paths
from hydranet_ros.model_files.forms import sibling
from hydranet_ros.model_files.metadata import ModelInfo
from hydranet_ros.model_files.preset import ExportFacts, Preset
from hydranet_ros.model_files.selftest import (
    SelfTest,
    halved_size,
    self_test_image,
    self_test_size,
)
from hydranet_ros.network.checkpoints import Checkpoint, load_checkpoint, weights_digest
from hydranet_ros.network.export_comparison import (
    GraphDifferences,
    Reference,
    compare_graph,
    comparison_image,
    open_reference_session,
    reference_outputs,
)
from hydranet_ros.network.export_module import (
    INTERNAL_SCALES,
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
_MAX_COMPARED = 500_000


@dataclass(frozen=True)
class ExportReport:
    """
    The written files of a model.

    :param paths: file of each form, see :data:`~hydranet_ros.model_files.metadata.FORMS`.
    :param info: metadata of the portable file.
    :param differences: from PyTorch in float64, the largest of all float32 forms.
    :param quantization: what INT8 changed, ``None`` without INT8.
    """

    paths: Mapping[str, Path]
    info: ModelInfo
    differences: GraphDifferences
    quantization: QuantizationLoss | None = None

    @property
    def path(self) -> Path:
        """Return the portable file."""
        return self.paths['portable']


def export_checkpoint(
    checkpoint: Path,
    preset: str,
    output: Path,
    *,
    domain: str = '',
    upsampling: str = 'bilinear',
    internal_scale: float = 1.0,
    int8: Path | None = None,
    log: Callable[[str], None] = print,
) -> ExportReport:
    """
    Write the model files of a checkpoint, atomically.

    :param preset: provides the metadata: classes, depth range, focal length and others.
    :param output: the portable file, NAME.onnx; the other forms are written beside it.
    :param domain: selects the classes of a model with several domains; by default the preset's.
    :param upsampling: one of :data:`~hydranet_ros.network.export_module.UPSAMPLINGS`.
    :param internal_scale: one of :data:`~hydranet_ros.network.export_module.INTERNAL_SCALES`.
    :param int8: folder of calibration images, ``None`` for no INT8 form.
    :param log: receives a line before each step.
    :raises ExportError: if an option is unknown, a graph disagrees with PyTorch, INT8 changes
        too much, or a file cannot be written.
    :raises CheckpointError: if the checkpoint cannot be read or does not fit the preset.
    :raises PresetError: if the preset or its domain does not exist.
    :raises MissingDependencyError: see :func:`require_packages`.
    """
    require_packages()
    _require_allowed(upsampling=upsampling, internal_scale=internal_scale)
    images = calibration_images(int8) if int8 else []
    loaded = Preset.load(preset)
    facts = loaded.model(domain).export
    source = load_checkpoint(checkpoint)
    require_fit(source, checkpoint, facts, preset, facts.tasks)
    module = ExportModule(source.network(), facts.class_slice, upsampling, internal_scale).eval()
    log(f'Exporting {checkpoint.name} ({source.origin} checkpoint) for preset {preset}.')
    references = _references(module, facts.native_size)
    info = replace(
        _metadata(loaded, domain, source, facts, module),
        self_test=_self_test(module, facts.native_size),
    )
    forms = ('portable', 'cpu', 'int8') if int8 else ('portable', 'cpu')
    paths = {form: sibling(output, form) for form in forms}
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with atomic_paths(list(paths.values())) as temporaries:
            parts = dict(zip(paths, temporaries))
            found = []
            for form in ('portable', 'cpu'):
                write_graph(module, parts[form], facts.native_size, info, form)
                log(f'Comparing {paths[form].name} with PyTorch.')
                found.append(compare_graph(parts[form], references, module.output_names))
            report = ExportReport(paths, info, _largest(found))
            if int8:
                log(f'Calibrating INT8 with {len(images)} images of {int8}.')
                report = _quantized(report, parts, images)
    except OSError as err:
        raise ExportError(
            f'{output} cannot be written: {err.strerror or err}. No file was written.'
        ) from err
    return report


def _references(module: ExportModule, native: tuple[int, int]) -> list[Reference]:
    """Return references of the native size, halved until it is bearable, and of about half."""
    height, width = halved_size(native, _MAX_COMPARED)
    sizes = ((height, width), (height // 2 + 7, width // 2 + 5))
    return [reference_outputs(module, comparison_image(*size)) for size in sizes]


def _self_test(module: ExportModule, native: tuple[int, int]) -> SelfTest:
    size = self_test_size(native)
    reference = reference_outputs(module, self_test_image(*size))
    return SelfTest.from_outputs(size, reference.exact, reference.rounded)


def _largest(found: Sequence[GraphDifferences]) -> GraphDifferences:
    names = [item.name for item in fields(GraphDifferences)]
    return GraphDifferences(*(max(getattr(item, name) for item in found) for name in names))


def _require_allowed(upsampling: str, internal_scale: float) -> None:
    for name, value, allowed in (
        ('upsampling', upsampling, UPSAMPLINGS),
        ('internal_scale', internal_scale, INTERNAL_SCALES),
    ):
        if value not in allowed:
            raise ExportError(f'{name} is {value!r}; allowed: {", ".join(map(str, allowed))}.')


def _quantized(
    report: ExportReport, parts: Mapping[str, Path], images: Sequence[NDArray[np.uint8]]
) -> ExportReport:
    """
    Write the INT8 form of the portable file; record what it changes among its metrics.

    Its self-test expects what the quantized graph computes in ONNX Runtime, because the loss of
    the quantization is no error of a runtime.
    """
    import onnx

    exact, path = parts['portable'], parts['int8']
    quantize(exact, path, images)
    loss = measure_quantization_loss(exact, path, images)
    changes = {'int8_labels_changed': loss.labels, 'int8_depth_changed': loss.depth}
    info = replace(
        report.info, form='int8', metrics={**report.info.metrics, **changes},
        self_test=_self_test_of_graph(path, report.info),
    )  # fmt: skip
    model = onnx.load(str(path))
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, info.to_metadata())
    path.write_bytes(model.SerializeToString())
    return replace(report, quantization=loss)


def _self_test_of_graph(path: Path, info: ModelInfo) -> SelfTest:
    """Return the self-test that expects what ONNX Runtime computes from a file."""
    size = self_test_size(info.native_size)
    session = open_reference_session(path)
    names = [item.name for item in session.get_outputs()]
    found = session.run(names, {'image': self_test_image(*size)[None]})
    return SelfTest.from_outputs(size, {name: x[0] for name, x in zip(names, found)})


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
    form: str = 'portable',
) -> None:
    """
    Write an ONNX file with its metadata.

    ``portable`` is the plain network, for batches of any size: every runtime reads its operators
    alike and fuses them itself. ``cpu`` is rewritten (:mod:`hydranet_ros.network.rewrites`), for
    one image at a time. The exporter folds batch norm into the convolutions in both.

    ONNX Runtime computes all outputs, requested or not (1.31 ignores
    ``only_execute_path_to_fetches``); :mod:`hydranet_ros.inference.subgraph` removes the others.

    :param size: (height, width) of the traced image; the graph accepts any.
    :param form: ``portable`` or ``cpu``.
    """
    import onnx

    rewritten = form == 'cpu'
    traced = RewrittenExportModule(module).eval() if rewritten else module
    names = module.output_names
    axes = {1: 'height', 2: 'width'} if rewritten else {0: 'batch', 1: 'height', 2: 'width'}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('ignore')
        torch.onnx.export(
            traced, (torch.zeros(1, *size, 3, dtype=torch.uint8),), str(path),
            input_names=['image'], output_names=names,
            dynamic_axes=dict.fromkeys(('image', *names), axes),
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    model = onnx.load(str(path))
    if rewritten:
        rewrite_graph(model)
    onnx.helper.set_model_props(model, replace(info, form=form).to_metadata())
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
