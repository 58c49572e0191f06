"""An exported file says what it is and computes what PyTorch computes, at any size."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')
onnx = pytest.importorskip('onnx', reason='onnx is not installed (extra: train)')

from reference_network import random_reference

from hydranet_ros.errors import CheckpointError, ExportError
from hydranet_ros.inference.engine import Engine
from hydranet_ros.model_files.preset import load_classes
from hydranet_ros.network import export_comparison, quantize
from hydranet_ros.network.checkpoints import load_checkpoint, weights_digest
from hydranet_ros.network.export import export_checkpoint
from hydranet_ros.network.export_comparison import comparison_image
from hydranet_ros.network.export_module import ExportModule
from hydranet_ros.network.hydranet import HydraNetConfig, build_hydranet


def checkpoint(folder: Path, classes=6, tasks=('segm', 'depth')) -> Path:
    path = folder / 'official.ckpt'
    torch.save({'state_dict': random_reference(classes, tasks).state_dict()}, path)
    return path


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp('export')
    source = checkpoint(folder)
    report = export_checkpoint(source, 'street', folder / 'out.onnx', log=lambda text: None)
    return source, report


def test_the_file_carries_what_inference_needs(exported):
    source, report = exported
    info = Engine(report.path).info
    assert info == report.info
    assert info.classes == load_classes('kitti6')
    assert (info.depth_range, info.training_focal_length) == ((0.0, 80.0), 721.5377)
    assert info.weights_sha256 == weights_digest(load_checkpoint(source).network())


@pytest.mark.parametrize('size', [(96, 128), (61, 83), (375, 1242)])
def test_the_engine_computes_what_pytorch_computes(exported, size):
    source, report = exported
    network = ExportModule(load_checkpoint(source).network()).eval()
    image = comparison_image(*size)
    with torch.no_grad():
        expected = dict(zip(network.output_names, network(torch.from_numpy(image)[None])))
    found = Engine(report.path).infer(image, frozenset(network.output_names))
    assert found.labels is not None and found.depth is not None and found.confidence is not None
    assert (found.labels != expected['labels'][0].numpy()).mean() < 1e-3
    assert len(np.unique(found.labels)) > 2, 'the comparison would prove nothing'
    np.testing.assert_allclose(found.depth, expected['depth'][0].numpy(), rtol=1e-3, atol=1e-3)
    difference = found.confidence.astype(int) - expected['confidence'][0].numpy()
    assert np.abs(difference).max() <= 1


def test_labels_are_decided_at_the_images_size_never_resized(exported):
    """Upsampled class ids would be constant over 4x4 blocks at their edges; logits are not."""
    _, report = exported
    labels = Engine(report.path).infer(comparison_image(96, 128), frozenset({'labels'})).labels
    assert labels is not None
    edges = np.argwhere(labels[:, 1:] != labels[:, :-1])[:, 1] + 1
    assert (edges % 4 != 0).any()


@pytest.mark.parametrize(('domain', 'classes'), [('nyud', 'nyud40'), ('kitti', 'kitti6')])
def test_the_domain_chooses_the_slice_of_the_joint_model(tmp_path: Path, domain, classes):
    source = checkpoint(tmp_path, 46)
    report = export_checkpoint(
        source, 'nyud_kitti', tmp_path / 'out.onnx', domain=domain, log=lambda text: None
    )
    assert report.info.classes == load_classes(classes)
    found = Engine(report.path).infer(comparison_image(60, 80), frozenset({'labels'}))
    first = {'nyud': 0, 'kitti': 40}[domain]
    logits = load_checkpoint(source).network()
    with torch.no_grad():
        whole = ExportModule(logits, (first, first + len(load_classes(classes))))(
            torch.from_numpy(comparison_image(60, 80))[None]
        )
    assert (found.labels != whole[0][0].numpy()).mean() < 1e-3


def test_three_tasks_give_unit_normals_that_face_the_camera_when_the_network_says_so(tmp_path):
    """Official channels (x, z, y) = (0, -2, 0) is a wall seen frontally: z = -1 in our frame."""
    source = checkpoint(tmp_path, 40, ('segm', 'depth', 'normal'))
    state = torch.load(source, weights_only=True)['state_dict']
    state['normal.weight'].zero_()
    state['normal.bias'].copy_(torch.tensor([0.0, -2.0, 0.0]))
    torch.save({'state_dict': state}, source)
    report = export_checkpoint(source, 'nyud_three', tmp_path / 'o.onnx', log=lambda text: None)
    normals = Engine(report.path).infer(comparison_image(60, 80), frozenset({'normals'})).normals
    np.testing.assert_allclose(normals.reshape(-1, 3), [[0, 0, -1]] * 4800, atol=1e-6)


def test_normals_of_the_authors_sample_agree_with_its_depth(data_dir: Path):
    """Their coloured ground truth, taken as the network's output, against the depth map's own."""
    folder = data_dir / 'nyud'
    depth = cv2.imread(str(folder / 'depth_gt_000433.png'), cv2.IMREAD_UNCHANGED) / 5000.0
    colour = cv2.imread(str(folder / 'norm_gt_000433.png'))[..., ::-1] / 255.0
    channels = np.stack([*(2 * colour[..., :2] - 1).transpose(2, 0, 1), 1 - 2 * colour[..., 2]])
    network = ExportModule(build_hydranet(HydraNetConfig(tasks=('normals',))))
    ours = network._normals(torch.from_numpy(channels)[None].float(), depth.shape)[0].numpy()
    expected = normals_of(cv2.GaussianBlur(depth, (0, 0), 3))
    known = (depth > 0) & (np.abs(np.linalg.norm(channels, axis=0) - 1) < 0.1)
    angles = np.degrees(np.arccos(np.clip((ours * expected).sum(-1)[known], -1, 1)))
    assert known.mean() > 0.5
    assert np.median(angles) < 15


def normals_of(depth):
    """Unit normals of a depth map, towards the camera; focal length of NYUD's camera."""
    v, u = np.mgrid[0 : depth.shape[0], 0 : depth.shape[1]]
    rays = np.stack([(u - 319.5) / 518.86, (v - 239.5) / 518.86, np.ones_like(depth)], -1)
    points = rays * depth[..., None]
    across, down = (np.roll(points, -4, axis) - np.roll(points, 4, axis) for axis in (1, 0))
    normals = np.cross(across, down)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-9
    return -normals * np.sign((normals * points).sum(-1, keepdims=True))


def test_a_checkpoint_that_does_not_fit_the_preset_is_refused(tmp_path: Path):
    with pytest.raises(CheckpointError, match='needs .*40 classes'):
        export_checkpoint(checkpoint(tmp_path), 'nyud', tmp_path / 'o.onnx')
    with pytest.raises(CheckpointError, match='normals'):
        export_checkpoint(checkpoint(tmp_path, 40), 'nyud_three', tmp_path / 'o.onnx')


def test_a_graph_that_disagrees_is_not_kept_and_leaves_the_old_file(tmp_path, monkeypatch):
    """The tolerance is set below rounding, which no graph can meet."""
    monkeypatch.setitem(export_comparison.TOLERANCES, 'depth', -1.0)
    (tmp_path / 'o.onnx').write_bytes(b'old')
    with pytest.raises(ExportError, match='No file was written'):
        export_checkpoint(checkpoint(tmp_path), 'street', tmp_path / 'o.onnx', log=lambda t: None)
    assert (tmp_path / 'o.onnx').read_bytes() == b'old'
    assert sorted(p.name for p in tmp_path.iterdir()) == ['o.onnx', 'official.ckpt']


def test_a_network_that_answers_nan_is_refused(tmp_path: Path):
    source = checkpoint(tmp_path)
    state = torch.load(source, weights_only=True)['state_dict']
    state['depth.bias'].fill_(float('nan'))
    torch.save({'state_dict': state}, source)
    with pytest.raises(ExportError, match='depth .* differ from PyTorch by nan'):
        export_checkpoint(source, 'street', tmp_path / 'o.onnx', log=lambda text: None)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ExportError, match='cannot be written.*No file was written'):
        export_checkpoint(
            checkpoint(tmp_path), 'street', tmp_path / 'file' / 'o.onnx', log=lambda text: None
        )


@pytest.mark.parametrize(
    ('option', 'allowed'),
    [({'upsampling': 'nearest'}, 'bilinear'), ({'target': 'tpu'}, 'cpu, gpu'),
     ({'internal_scale': 2.0}, '0.75')],
)  # fmt: skip
def test_an_unknown_option_is_refused(tmp_path: Path, option, allowed):
    with pytest.raises(ExportError, match=allowed):
        export_checkpoint(checkpoint(tmp_path), 'street', tmp_path / 'o', **option)


@pytest.mark.parametrize('size', [(96, 128), (61, 83), (1, 3)])
def test_a_network_that_sees_half_the_picture_answers_at_the_whole_size(tmp_path: Path, size):
    """Halving bilinearly is the mean of 2x2 pixels; the metres follow the focal length."""
    source = checkpoint(tmp_path)
    report = export_checkpoint(
        source, 'street', tmp_path / 'half.onnx', internal_scale=0.5, log=lambda text: None
    )
    assert report.info.training_focal_length == 2 * 721.5377
    assert report.info.training_image_size == (750, 2484)
    image = comparison_image(*size)
    found = Engine(report.path).infer(image)
    assert found.labels.shape == found.depth.shape == size
    if size == (96, 128):
        small = image.reshape(48, 2, 64, 2, 3).mean((1, 3))
        network = ExportModule(load_checkpoint(source).network()).eval()
        with torch.no_grad():
            seen = torch.from_numpy(small).permute(2, 0, 1)[None].float() - network.offset
            want = network.decode(network.network(seen * network.factor), torch.Size(size))
        np.testing.assert_allclose(found.depth, want[2][0].numpy(), rtol=1e-3, atol=1e-3)
        assert (found.labels != want[0][0].numpy()).mean() < 1e-3


def test_a_file_for_gpus_holds_the_network_as_it_stands(tmp_path: Path):
    source = checkpoint(tmp_path)
    kinds = {}
    for target in ('cpu', 'gpu'):
        report = export_checkpoint(
            source, 'street', tmp_path / f'{target}.onnx', target=target, log=lambda text: None
        )
        kinds[target] = {node.op_type for node in onnx.load(str(report.path)).graph.node}
        assert report.differences.depth < 1e-4
    assert 'HardSigmoid' in kinds['cpu'] and 'HardSigmoid' not in kinds['gpu']


def int8_pictures(folder: Path) -> Path:
    folder.mkdir()
    for index in range(4):
        cv2.imwrite(str(folder / f'{index}.png'), comparison_image(60 + index, 80))
    return folder


def test_int8_is_calibrated_on_pictures_and_says_what_it_changed(tmp_path: Path, monkeypatch):
    """A network with random weights has classes nearly equal everywhere: the limits are wider."""
    monkeypatch.setattr(quantize, 'LABEL_LIMIT', 0.5)
    monkeypatch.setattr(quantize, 'DEPTH_LIMIT', 0.5)
    pictures = int8_pictures(tmp_path / 'pictures')
    source, told = checkpoint(tmp_path), []
    report = export_checkpoint(
        source, 'street', tmp_path / 'o.onnx', int8=pictures, log=told.append
    )
    assert any('4 images' in text for text in told)
    kinds = {node.op_type for node in onnx.load(str(report.path)).graph.node}
    assert {'QuantizeLinear', 'DequantizeLinear'} <= kinds
    engine = Engine(report.path)
    assert report.quantization is not None
    assert engine.info.metrics['int8_labels_changed'] == report.quantization.labels <= 0.5
    assert 0 < report.quantization.depth == engine.info.metrics['int8_depth_changed']
    assert engine.infer(comparison_image(61, 83)).labels.shape == (61, 83)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['o.onnx', 'official.ckpt', 'pictures']


def test_int8_that_changes_too_much_is_not_kept(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(quantize, 'LABEL_LIMIT', 0.0)
    pictures = int8_pictures(tmp_path / 'pictures')
    with pytest.raises(ExportError, match='INT8 changes .*No file was written'):
        export_checkpoint(
            checkpoint(tmp_path), 'street', tmp_path / 'o.onnx', int8=pictures, log=lambda t: None
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == ['official.ckpt', 'pictures']


def test_int8_without_pictures_is_refused_before_any_work(tmp_path: Path):
    with pytest.raises(ExportError, match='contains 0 images; INT8 calibration needs at least 4'):
        export_checkpoint(tmp_path / 'missing.ckpt', 'street', tmp_path / 'o.onnx', int8=tmp_path)
