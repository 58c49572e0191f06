"""A written model file has its metadata and computes what PyTorch computes, at any size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')
onnx = pytest.importorskip('onnx', reason='onnx is not installed (extra: train)')

from network_tools import official_network, save_official, small_preset

from hydranet_ros.errors import CheckpointError, ExportError
from hydranet_ros.inference.engine import Engine, EngineOptions
from hydranet_ros.inference.model_file import read_model
from hydranet_ros.model_files.preset import load_classes
from hydranet_ros.network import export_comparison, quantize
from hydranet_ros.network.checkpoints import load_checkpoint, weights_digest
from hydranet_ros.network.export import ExportReport, export_checkpoint
from hydranet_ros.network.export_comparison import comparison_image
from hydranet_ros.network.export_module import ExportModule


def export(checkpoint: Path, preset: str, output: Path, **options) -> ExportReport:
    """Export for a preset with a small native size."""
    options.setdefault('log', lambda text: None)
    folder = output.parent.with_name(f'{output.parent.name}_preset')
    folder.mkdir(exist_ok=True)
    return export_checkpoint(checkpoint, small_preset(folder, preset), output, **options)


def expected_outputs(module: ExportModule, image: np.ndarray) -> dict[str, np.ndarray]:
    with torch.no_grad():
        outputs = module.eval()(torch.from_numpy(image)[None])
    return {name: x[0].numpy() for name, x in zip(module.output_names, outputs)}


def test_the_metadata_are_those_of_the_preset_and_the_weights(official_checkpoint, exported):
    info = Engine(exported.path).info
    assert info == exported.info
    assert info.classes == load_classes('kitti6')
    assert (info.depth_range, info.training_focal_length) == ((0.0, 80.0), 721.5377)
    assert info.weights_sha256 == weights_digest(load_checkpoint(official_checkpoint).network())


@pytest.mark.parametrize('size', [(96, 128), (61, 83)])
def test_the_engine_computes_what_pytorch_computes(exported, size):
    image = comparison_image(*size)
    expected = expected_outputs(ExportModule(official_network()), image)
    found = Engine(exported.paths['cpu']).infer(image, frozenset(expected))
    assert found.labels is not None and found.depth is not None and found.confidence is not None
    assert (found.labels != expected['labels']).mean() < 1e-3
    assert len(np.unique(found.labels)) > 2, 'the comparison would prove nothing'
    np.testing.assert_allclose(found.depth, expected['depth'], rtol=1e-3, atol=1e-3)
    difference = found.confidence.astype(int) - expected['confidence']
    assert np.abs(difference).max() <= 1


def test_a_domain_other_than_the_default_has_its_own_classes(tmp_path: Path):
    source = save_official(tmp_path / 'joint.ckpt', 46)
    report = export(source, 'nyud_kitti', tmp_path / 'out.onnx', domain='nyud')
    assert report.info.classes == load_classes('nyud40')
    assert report.info.domain == 'nyud'
    image = comparison_image(60, 80)
    found = Engine(report.path).infer(image, frozenset({'labels'}))
    expected = expected_outputs(ExportModule(official_network(46), (0, 40)), image)
    assert (found.labels != expected['labels']).mean() < 1e-3


def test_a_smaller_internal_scale_lengthens_the_training_focal_length(
    official_checkpoint, tmp_path
):
    report = export(official_checkpoint, 'street', tmp_path / 'half.onnx', internal_scale=0.5)
    assert report.info.training_focal_length == 2 * 721.5377
    assert report.info.training_image_size == (750, 2484)
    image = comparison_image(61, 83)
    expected = expected_outputs(ExportModule(official_network(), internal_scale=0.5), image)
    found = Engine(report.path).infer(image)
    np.testing.assert_allclose(found.depth, expected['depth'], rtol=1e-3, atol=1e-3)
    assert Engine(report.path).infer(comparison_image(1, 3)).labels.shape == (1, 3)


def test_only_the_form_for_the_cpu_is_rewritten(exported):
    kinds = {
        form: {node.op_type for node in onnx.load(str(path)).graph.node}
        for form, path in exported.paths.items()
    }
    assert 'HardSigmoid' in kinds['cpu'] and 'HardSigmoid' not in kinds['portable']
    assert exported.differences.depth < 1e-4


def test_the_forms_lie_beside_each_other_with_the_same_weights_and_self_test(exported):
    infos = {form: read_model(path).info for form, path in exported.paths.items()}
    assert {form: path.name for form, path in exported.paths.items()} == {
        'portable': 'model.onnx', 'cpu': 'model.cpu.onnx',
    }  # fmt: skip
    assert infos['portable'] == exported.info
    assert infos['cpu'] == replace(exported.info, form='cpu')


def test_the_self_test_holds_what_pytorch_computes(exported):
    test = exported.info.self_test
    assert set(test.expected) == {'labels', 'confidence', 'depth'}
    outputs = expected_outputs(ExportModule(official_network()), test.image())
    deviation = test.compare(outputs, 'float32')
    assert deviation.accepted and deviation.metrics == pytest.approx(test.rounding)


def test_tensorrt_gets_no_integers_to_move(exported):
    """It supports uint8 as an input only: the first node must convert it."""
    nodes = onnx.load(str(exported.path)).graph.node
    assert {node.op_type for node in nodes if 'image' in node.input} <= {'Cast', 'Shape'}


def test_the_portable_file_takes_batches(exported):
    images = np.stack([comparison_image(60, 80), comparison_image(60, 80)[:, ::-1]])
    session = export_comparison.open_reference_session(exported.path)
    together = session.run(['labels', 'depth'], {'image': images})
    for index, image in enumerate(images):
        alone = session.run(['labels', 'depth'], {'image': image[None]})
        np.testing.assert_array_equal(together[0][index], alone[0][0])
        np.testing.assert_allclose(together[1][index], alone[1][0], rtol=1e-4, atol=1e-4)


def test_a_checkpoint_that_does_not_fit_the_preset_is_refused(official_checkpoint, tmp_path: Path):
    with pytest.raises(CheckpointError, match='needs .*40 classes'):
        export(official_checkpoint, 'nyud', tmp_path / 'o.onnx')
    forty = save_official(tmp_path / 'forty.ckpt', 40)
    with pytest.raises(CheckpointError, match='normals'):
        export(forty, 'nyud_three', tmp_path / 'o.onnx')
    assert [path.name for path in tmp_path.iterdir()] == ['forty.ckpt']


def test_a_graph_that_disagrees_leaves_the_old_file(official_checkpoint, tmp_path, monkeypatch):
    """No graph meets a negative tolerance."""
    monkeypatch.setitem(export_comparison.TOLERANCES, 'depth', -1.0)
    monkeypatch.setattr(export_comparison, '_ROUNDING_FACTOR', -1.0)
    (tmp_path / 'o.onnx').write_bytes(b'old')
    with pytest.raises(ExportError, match='No file was written'):
        export(official_checkpoint, 'street', tmp_path / 'o.onnx')
    assert (tmp_path / 'o.onnx').read_bytes() == b'old'
    assert [path.name for path in tmp_path.iterdir()] == ['o.onnx']


def test_a_form_that_cannot_be_written_leaves_the_old_files(official_checkpoint, tmp_path):
    """The form for the CPU is the second file; a folder is in its place."""
    out = tmp_path / 'out'
    (out / 'o.cpu.onnx').mkdir(parents=True)
    (out / 'o.onnx').write_bytes(b'old')
    with pytest.raises(ExportError, match=r'o\.onnx cannot be written.*No file was written'):
        export(official_checkpoint, 'street', out / 'o.onnx')
    assert (out / 'o.onnx').read_bytes() == b'old'
    assert sorted(path.name for path in out.iterdir()) == ['o.cpu.onnx', 'o.onnx']


def test_an_output_that_cannot_be_written_is_named(official_checkpoint, tmp_path: Path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ExportError, match=r'o\.onnx cannot be written.*No file was written'):
        export_checkpoint(
            official_checkpoint, 'street', tmp_path / 'file' / 'o.onnx', log=lambda text: None
        )


@pytest.mark.parametrize(
    ('option', 'message'),
    [({'upsampling': 'nearest'}, "upsampling is 'nearest'; allowed: bilinear, bicubic"),
     ({'internal_scale': 2.0}, 'internal_scale is 2.0; allowed: 1.0, 0.75, 0.5')],
)  # fmt: skip
def test_the_error_of_an_unknown_option_names_what_is_allowed(tmp_path: Path, option, message):
    with pytest.raises(ExportError, match=message):
        export_checkpoint(tmp_path / 'missing.ckpt', 'street', tmp_path / 'o.onnx', **option)


# INT8 --------------------------------------------------------------------------------------


@pytest.fixture
def calibration(tmp_path: Path) -> Path:
    folder = tmp_path / 'images'
    folder.mkdir()
    for index in range(4):
        cv2.imwrite(str(folder / f'{index}.png'), comparison_image(60 + index, 80))
    return folder


def test_an_int8_file_records_what_int8_changed(
    official_checkpoint, calibration, tmp_path, monkeypatch
):
    """The classes of random weights are nearly equal, so that INT8 changes many labels."""
    monkeypatch.setattr(quantize, 'LABEL_LIMIT', 0.5)
    monkeypatch.setattr(quantize, 'DEPTH_LIMIT', 0.5)
    lines: list[str] = []
    (tmp_path / 'out').mkdir()
    report = export(
        official_checkpoint, 'street', tmp_path / 'out' / 'o.onnx', int8=calibration,
        log=lines.append,
    )  # fmt: skip
    assert any('4 images' in line for line in lines)
    kinds = {node.op_type for node in onnx.load(str(report.paths['int8'])).graph.node}
    assert {'QuantizeLinear', 'DequantizeLinear'} <= kinds
    engine = Engine(report.path, EngineOptions('cpu', 'int8'))
    assert report.quantization is not None
    info = read_model(report.paths['int8']).info
    assert info.form == 'int8' and info.self_test.size == report.info.self_test.size
    assert info.metrics['int8_labels_changed'] == report.quantization.labels <= 0.5
    assert 0 < report.quantization.depth == info.metrics['int8_depth_changed']
    assert engine.infer(comparison_image(61, 83)).labels.shape == (61, 83)
    names = sorted(path.name for path in (tmp_path / 'out').iterdir())
    assert names == ['o.cpu.onnx', 'o.int8.onnx', 'o.onnx']


def test_an_int8_file_that_changes_too_much_is_not_kept(
    official_checkpoint, calibration, tmp_path, monkeypatch
):
    monkeypatch.setattr(quantize, 'LABEL_LIMIT', 0.0)
    (tmp_path / 'out').mkdir()
    with pytest.raises(ExportError, match='INT8 changes .*No file was written'):
        export(official_checkpoint, 'street', tmp_path / 'out' / 'o.onnx', int8=calibration)
    assert list((tmp_path / 'out').iterdir()) == []


def test_int8_without_images_is_refused_before_any_work(tmp_path: Path):
    with pytest.raises(ExportError, match='contains 0 images'):
        export_checkpoint(tmp_path / 'missing.ckpt', 'street', tmp_path / 'o.onnx', int8=tmp_path)
