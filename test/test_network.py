"""The network is the published one: counts, shapes, outputs."""

from __future__ import annotations

import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')

from reference_network import random_reference

from hydranet_ros.errors import CheckpointError
from hydranet_ros.network.checkpoint_layouts import from_official
from hydranet_ros.network.checkpoints import Checkpoint
from hydranet_ros.network.decoders import MaxPool5
from hydranet_ros.network.hydranet import HydraNetConfig, build_hydranet

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
def test_parameter_counts_are_the_published_ones(encoder, classes, tasks, count):
    with torch.device('meta'):
        network = build_hydranet(HydraNetConfig(encoder, classes, tasks))
    assert sum(parameter.numel() for parameter in network.parameters()) == count


def test_the_encoder_has_its_published_parameters_and_buffers():
    network = build_hydranet()
    assert sum(p.numel() for p in network.encoder.parameters()) == 1_812_800
    assert sum(b.numel() for b in network.buffers()) == 31_668
    assert len(network.state_dict()) == 343
    assert len(build_hydranet(HydraNetConfig(tasks=THREE)).state_dict()) == 346


@pytest.mark.parametrize('size', [(480, 640), (375, 1242), (333, 611)])
def test_outputs_equal_the_official_structure(size):
    reference = random_reference(40, ('segm', 'depth', 'normal'))
    state = from_official(reference.state_dict())
    network = Checkpoint(HydraNetConfig(num_classes=40, tasks=THREE), state, 'official').network()
    image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = dict(zip(THREE, reference(image)))
        found = network(image)
    for task in THREE:
        assert found[task].shape == expected[task].shape
        scale = expected[task].abs().max()
        assert scale > 0.1, 'the comparison would prove nothing'
        assert (found[task] - expected[task]).abs().max() <= 1e-5 * max(1.0, float(scale))


@pytest.mark.parametrize('encoder', ['mobilenet_v2', 'resnet18', 'resnet50'])
@pytest.mark.parametrize('size', [(64, 96), (61, 83)])
def test_outputs_are_at_a_quarter_of_any_size_rounded_up(encoder, size):
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
def test_a_backward_pass_reaches_every_parameter(encoder):
    network = build_hydranet(HydraNetConfig(encoder, 4, THREE), init='kaiming')
    found = network(torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    sum((value**2).sum() for value in found.values()).backward()
    without = [
        name for name, parameter in network.named_parameters()
        if parameter.grad is None or not bool(torch.isfinite(parameter.grad).all())
    ]  # fmt: skip
    assert without == []


def test_evaluation_is_repeatable():
    network = build_hydranet(init='kaiming').eval()
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        assert torch.equal(network(image)['depth'], network(image)['depth'])


def test_the_split_pool_equals_a_5x5_pool_to_the_bit():
    x = torch.randn(1, 3, 17, 23, generator=torch.Generator().manual_seed(0))
    assert torch.equal(MaxPool5()(x), torch.nn.functional.max_pool2d(x, 5, 1, 2))


@pytest.mark.parametrize('tasks', [('depth',), ('normals', 'segmentation')])
def test_any_subset_of_tasks_has_just_its_heads(tasks):
    with torch.no_grad():
        found = build_hydranet(HydraNetConfig(tasks=tasks)).eval()(torch.zeros(1, 3, 32, 32))
    assert set(found) == set(tasks)


@pytest.mark.parametrize(
    'values',
    [{'encoder': 'vgg16'}, {'tasks': ()}, {'tasks': ('smell',)}, {'num_classes': 0},
     {'tasks': ('depth', 'depth')}],
)  # fmt: skip
def test_an_impossible_shape_is_refused_with_what_is_allowed(values):
    with pytest.raises(CheckpointError, match='allowed|subset'):
        HydraNetConfig(**values)
