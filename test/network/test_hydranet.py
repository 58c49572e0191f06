"""The network has the published size and computes what the official structure computes."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')

from network_tools import ALL_TASKS, official_network, reference

from hydranet_ros.errors import CheckpointError
from hydranet_ros.network.hydranet import MEAN, STD, HydraNet, HydraNetConfig, build_hydranet

TWO = ('segmentation', 'depth')
THREE = (*TWO, 'normals')
COUNTS = [
    ('mobilenet_v2', 6, TWO, 2_991_687),
    ('mobilenet_v2', 40, TWO, 3_070_057),
    ('mobilenet_v2', 40, THREE, 3_077_228),
    ('mobilenet_v2', 46, TWO, 3_083_887),
    ('mobilenet_v2', 19, TWO, 3_021_652),
    ('resnet18', 40, TWO, 12_501_353),
    ('resnet34', 40, TWO, 22_609_513),
    ('resnet50', 40, TWO, 25_570_153),
    ('resnet101', 40, TWO, 44_562_281),
    ('resnet152', 40, TWO, 60_205_929),
]


@pytest.mark.parametrize(('encoder', 'classes', 'tasks', 'count'), COUNTS)
def test_the_number_of_parameters_is_the_published_one(encoder, classes, tasks, count):
    with torch.device('meta'):
        network = build_hydranet(HydraNetConfig(encoder, classes, tasks))
    assert sum(parameter.numel() for parameter in network.parameters()) == count


def test_the_state_dict_has_the_published_number_of_tensors():
    network = build_hydranet()
    assert sum(p.numel() for p in network.encoder.parameters()) == 1_812_800
    assert sum(b.numel() for b in network.buffers()) == 31_668
    assert len(network.state_dict()) == 343
    assert len(build_hydranet(HydraNetConfig(tasks=THREE)).state_dict()) == 346


@pytest.mark.parametrize('size', [(96, 128), (61, 83), (187, 331)])
def test_outputs_equal_those_of_the_official_structure(size):
    network = official_network(40, ALL_TASKS)
    image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = dict(zip(THREE, reference(40, ALL_TASKS)(image)))
        found = network(image)
    for task in THREE:
        assert found[task].shape == expected[task].shape
        scale = expected[task].abs().max()
        assert scale > 0.1, 'the comparison would prove nothing'
        assert (found[task] - expected[task]).abs().max() <= 1e-5 * max(1.0, float(scale))


@pytest.mark.parametrize('encoder', ['mobilenet_v2', 'resnet18', 'resnet50'])
@pytest.mark.parametrize('size', [(64, 96), (61, 83)])
def test_outputs_have_a_quarter_of_any_size_rounded_up(encoder, size):
    network = build_hydranet(HydraNetConfig(encoder, 5, THREE)).eval()
    with torch.no_grad():
        found = network(torch.zeros(2, 3, *size))
    quarter = tuple((side + 3) // 4 for side in size)
    assert {task: tuple(value.shape) for task, value in found.items()} == {
        'segmentation': (2, 5, *quarter),
        'depth': (2, 1, *quarter),
        'normals': (2, 3, *quarter),
    }


@pytest.mark.parametrize('encoder', ['mobilenet_v2', 'resnet18', 'resnet50'])
def test_every_parameter_has_a_finite_gradient(encoder):
    network = build_hydranet(HydraNetConfig(encoder, 4, THREE), init='kaiming')
    found = network(torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    sum((value**2).sum() for value in found.values()).backward()
    without = [
        name for name, parameter in network.named_parameters()
        if parameter.grad is None or not bool(torch.isfinite(parameter.grad).all())
    ]  # fmt: skip
    assert without == []


def test_evaluation_is_deterministic():
    network = build_hydranet(init='kaiming').eval()
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        assert torch.equal(network(image)['depth'], network(image)['depth'])


@pytest.mark.parametrize('tasks', [('depth',), ('normals', 'segmentation')])
def test_a_network_has_the_heads_of_its_tasks_only(tasks):
    with torch.no_grad():
        found = build_hydranet(HydraNetConfig(tasks=tasks)).eval()(torch.zeros(1, 3, 32, 32))
    assert set(found) == set(tasks)


@pytest.mark.parametrize(
    ('values', 'message'),
    [({'encoder': 'vgg16'}, "encoder is 'vgg16'; allowed: mobilenet_v2, resnet18"),
     ({'tasks': ()}, r'tasks is \[\]; allowed: one or more of segmentation'),
     ({'tasks': ('smell',)}, r"tasks is \['smell'\]; allowed"),
     ({'tasks': ('depth', 'depth')}, 'each once'),
     ({'num_classes': 0}, 'num_classes is 0; allowed: 1 to 255'),
     ({'num_classes': 256}, 'num_classes is 256; allowed: 1 to 255')],
)  # fmt: skip
def test_the_error_of_an_invalid_configuration_names_what_is_allowed(values, message):
    with pytest.raises(CheckpointError, match=message):
        HydraNetConfig(**values)


def test_the_number_of_classes_does_not_matter_without_segmentation():
    assert HydraNetConfig(num_classes=0, tasks=('depth',)).head_outputs == {'depth': 1}


# Normalization -----------------------------------------------------------------------------


def images() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (2, 5, 7, 3)).astype(np.uint8)


@pytest.mark.parametrize('dtype', [torch.uint8, torch.float32])
def test_normalization_subtracts_the_mean_and_divides_by_the_deviation(dtype):
    found = HydraNet.normalize(torch.from_numpy(images()).to(dtype))
    expected = ((images() / 255 - MEAN) / STD).transpose(0, 3, 1, 2)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_normalized_images_have_the_channels_last_in_memory():
    found = HydraNet.normalize(torch.from_numpy(images()))
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.float32, 1e-5), (torch.float64, 1e-6)])
def test_offset_and_factor_normalize_alike(dtype, tolerance):
    pixels = torch.from_numpy(images())
    offset, factor = HydraNet.normalization(dtype)
    assert offset.dtype == factor.dtype == dtype
    found = (pixels.permute(0, 3, 1, 2).to(dtype) - offset) * factor
    torch.testing.assert_close(
        found, HydraNet.normalize(pixels).to(dtype), rtol=tolerance, atol=tolerance
    )


def test_normalization_is_not_part_of_the_state_dict():
    """A checkpoint is loaded strictly: another key would break all existing ones."""
    network = build_hydranet()
    assert all(key.startswith(('encoder.', 'decoder.')) for key in network.state_dict())
