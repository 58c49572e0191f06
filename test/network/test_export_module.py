"""The exported module turns pixels into labels, confidence, meters and unit normals."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')

from network_tools import ALL_TASKS, official_network

from hydranet_ros.network.export_comparison import comparison_image
from hydranet_ros.network.export_module import ExportModule, RewrittenExportModule
from hydranet_ros.network.hydranet import HydraNetConfig, build_hydranet


def batch(height: int, width: int) -> torch.Tensor:
    return torch.from_numpy(comparison_image(height, width))[None]


def module_of(*tasks: str, classes: int = 6) -> ExportModule:
    return ExportModule(build_hydranet(HydraNetConfig(num_classes=classes, tasks=tasks))).eval()


@pytest.mark.parametrize(('tasks', 'names'), [
    (('segmentation',), ['labels', 'confidence']),
    (('depth',), ['depth']),
    (('normals', 'segmentation'), ['labels', 'confidence', 'normals']),
    (('segmentation', 'depth', 'normals'), ['labels', 'confidence', 'depth', 'normals']),
])  # fmt: skip
def test_outputs_follow_the_tasks_in_a_fixed_order(tasks, names):
    assert module_of(*tasks).output_names == names


@pytest.mark.parametrize('size', [(61, 83), (1, 3)])
def test_outputs_have_the_size_of_the_image(size):
    module = ExportModule(official_network(40, ALL_TASKS)).eval()
    with torch.no_grad():
        labels, confidence, depth, normals = module(batch(*size))
    assert labels.shape == confidence.shape == depth.shape == (1, *size)
    assert normals.shape == (1, *size, 3)
    assert labels.dtype == confidence.dtype == torch.uint8
    assert depth.dtype == normals.dtype == torch.float32
    assert bool((depth >= 0).all())
    torch.testing.assert_close(normals.norm(dim=-1), torch.ones(1, *size))


def test_the_network_gets_the_normalized_image():
    network = official_network()
    module, image = ExportModule(network).eval(), batch(61, 83)
    with torch.no_grad():
        expected = network(network.normalize(image))
        found = network(module.centered_pixels(image) * module.factor)
    for task, value in expected.items():
        torch.testing.assert_close(found[task], value, rtol=1e-4, atol=1e-4)


def test_labels_are_decided_after_upsampling():
    """Upsampled class ids would be constant in blocks of 4x4 pixels; logits are not."""
    module = ExportModule(official_network()).eval()
    with torch.no_grad():
        labels = module(batch(96, 128))[0][0].numpy()
    edges = np.argwhere(labels[:, 1:] != labels[:, :-1])[:, 1] + 1
    assert (edges % 4 != 0).any()


def test_a_class_slice_keeps_the_classes_of_its_domain():
    network = official_network(46)
    image = batch(45, 67)
    with torch.no_grad():
        logits = network(network.normalize(image))['segmentation'][:, 40:46]
        labels = ExportModule(network, (40, 46)).eval()(image)[0]
        full = torch.nn.functional.interpolate(logits, (45, 67), mode='bilinear')
    assert (labels != full.argmax(1)).float().mean() < 1e-3


def test_confidence_is_exact_where_exponentials_would_overflow():
    logits = torch.full((1, 6, 4, 5), -200.0)
    logits[:, 2:4] = 300.0
    labels, confidence = module_of('segmentation').decode(
        {'segmentation': logits}, torch.Size((16, 20))
    )
    assert (labels == 2).all(), 'of equal classes, the first is chosen'
    assert (confidence == 128).all()


def test_depth_is_the_absolute_value_of_the_head():
    depth = torch.full((1, 1, 4, 5), -3.0)
    assert (module_of('depth').decode({'depth': depth}, torch.Size((16, 20)))[0] == 3).all()


def test_bicubic_upsampling_differs_from_bilinear():
    network, image = official_network(), batch(45, 67)
    with torch.no_grad():
        bilinear, bicubic = (
            ExportModule(network, upsampling=mode).eval()(image)[2]
            for mode in ('bilinear', 'bicubic')
        )
    assert 0 < (bilinear - bicubic).abs().max() < 1


def test_a_wall_seen_frontally_has_the_normal_toward_the_camera():
    """The heads output x, z, y; (0, -2, 0) is a vector along -z."""
    x = torch.tensor([0.0, -2.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 4, 5)
    normals = module_of('normals').decode({'normals': x}, torch.Size((16, 20)))[0]
    torch.testing.assert_close(normals, torch.tensor([0.0, 0.0, -1.0]).expand(1, 16, 20, 3))


def test_normals_of_the_official_example_agree_with_its_depth(data_dir: Path):
    folder = data_dir / 'nyud'
    depth = cv2.imread(str(folder / 'depth_gt_000433.png'), cv2.IMREAD_UNCHANGED) / 5000.0
    color = cv2.imread(str(folder / 'norm_gt_000433.png'))[..., ::-1] / 255.0
    channels = np.stack([*(2 * color[..., :2] - 1).transpose(2, 0, 1), 1 - 2 * color[..., 2]])
    outputs = {'normals': torch.from_numpy(channels)[None].float()}
    ours = module_of('normals').decode(outputs, torch.Size(depth.shape))[0][0].numpy()
    expected = normals_of(cv2.GaussianBlur(depth, (0, 0), 3))
    known = (depth > 0) & (np.abs(np.linalg.norm(channels, axis=0) - 1) < 0.1)
    angles = np.degrees(np.arccos(np.clip((ours * expected).sum(-1)[known], -1, 1)))
    assert known.mean() > 0.5
    assert np.median(angles) < 15


def normals_of(depth):
    """Return the unit normals of a depth map, toward the camera of NYUDv2."""
    v, u = np.mgrid[0 : depth.shape[0], 0 : depth.shape[1]]
    rays = np.stack([(u - 319.5) / 518.86, (v - 239.5) / 518.86, np.ones_like(depth)], -1)
    points = rays * depth[..., None]
    across, down = (np.roll(points, -4, axis) - np.roll(points, 4, axis) for axis in (1, 0))
    normals = np.cross(across, down)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-9
    return -normals * np.sign((normals * points).sum(-1, keepdims=True))


@pytest.mark.parametrize(('scale', 'size'), [(0.5, (31, 42)), (0.75, (46, 63))])
def test_the_network_runs_on_the_scaled_image_rounded_up(scale: float, size):
    module = ExportModule(official_network(), internal_scale=scale).eval()
    assert module.centered_pixels(batch(61, 83)).shape == (1, 3, *size)
    with torch.no_grad():
        assert all(x.shape == (1, 61, 83) for x in module(batch(61, 83)))


def test_half_the_scale_averages_2x2_pixels():
    network, image = official_network(), batch(96, 128)
    module = ExportModule(network, internal_scale=0.5).eval()
    half = image.view(1, 48, 2, 64, 2, 3).float().mean((2, 4))
    with torch.no_grad():
        want = module.decode(network(network.normalize(half)), torch.Size((96, 128)))
        got = module(image)
    torch.testing.assert_close(got[2], want[2], rtol=1e-3, atol=1e-3)
    assert (got[0] != want[0]).float().mean() < 1e-3


@pytest.mark.parametrize('scale', [1.0, 0.5])
def test_the_rewritten_module_differs_by_rounding_only(scale: float):
    module = ExportModule(official_network(), internal_scale=scale).eval()
    image = batch(61, 83)
    with torch.no_grad():
        want, got = module(image), RewrittenExportModule(module).eval()(image)
    assert (want[0] != got[0]).float().mean() < 1e-3
    assert (want[2] - got[2]).abs().max() < 1e-5 * want[2].max()
