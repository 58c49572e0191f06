"""Every rewrite is exact at any size: in double precision, the borders included."""

from __future__ import annotations

import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')

from network_tools import ALL_TASKS, official_network, random_resnet

from hydranet_ros.network import rewrites
from hydranet_ros.network.decoders import WIDTH, ChainedResidualPooling, Head
from hydranet_ros.network.encoders.mobilenet_v2 import InvertedResidual
from hydranet_ros.network.export_comparison import comparison_image
from hydranet_ros.network.hydranet import MEAN, STD

TASKS = ('segmentation', 'depth', 'normals')
SIZES = [(125, 187), (64, 96), (97, 33)]
EXACT = 1e-11  # rounding in double precision is smaller, an error of algebra is not


def image(height: int, width: int) -> torch.Tensor:
    return torch.from_numpy(comparison_image(height, width))[None]


def centered(pixels: torch.Tensor) -> torch.Tensor:
    mean = torch.tensor(MEAN, dtype=torch.double).view(1, 3, 1, 1)
    return pixels.permute(0, 3, 1, 2).double() - 255 * mean


def normalized(pixels: torch.Tensor) -> torch.Tensor:
    return centered(pixels) / (255 * torch.tensor(STD, dtype=torch.double).view(1, 3, 1, 1))


def relative(want: torch.Tensor, got: torch.Tensor) -> float:
    """Return the largest difference divided by the largest value."""
    assert want.shape == got.shape
    return float((want - got).abs().max() / want.abs().max())


@pytest.mark.parametrize(('classes', 'size'), zip((6, 40, 40), SIZES))
def test_the_rewritten_network_is_exact_at_any_size(classes, size):
    network = official_network(classes, ALL_TASKS).double()
    pixels = image(*size)
    with torch.no_grad():
        want = network(normalized(pixels))
        got = rewrites.RewrittenNetwork(network).eval()(centered(pixels))
    assert list(want) == list(got) == list(TASKS)
    for task in TASKS:
        assert relative(want[task], got[task]) < EXACT
        border = torch.ones(want[task].shape[2:], dtype=torch.bool)
        border[1:-1, 1:-1] = False
        assert relative(want[task][..., border], got[task][..., border]) < EXACT


@pytest.mark.parametrize(('align_corners', 'size'), zip((True, False), SIZES[1:]))
def test_a_rewritten_resnet_is_exact(align_corners, size):
    network, pixels = random_resnet(TASKS, align_corners).double(), image(*size)
    with torch.no_grad():
        want = network(normalized(pixels))
        got = rewrites.RewrittenNetwork(network).eval()(centered(pixels))
    for task in TASKS:
        assert relative(want[task], got[task]) < EXACT


def test_rewriting_does_not_change_the_network():
    network = official_network()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    rewrites.RewrittenNetwork(network)
    after = network.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_a_class_slice_cuts_the_head():
    network, pixels = official_network(46).double(), image(61, 83)
    with torch.no_grad():
        want = network(normalized(pixels))['segmentation'][:, 40:46]
        got = rewrites.RewrittenNetwork(network, (40, 46)).eval()(centered(pixels))
    assert relative(want, got['segmentation']) < EXACT


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('groups', [2, 3])
def test_an_inverted_residual_in_groups_is_exact(stride, groups):
    torch.manual_seed(1)
    outputs = 24 if stride == 1 else 32
    block = InvertedResidual(24, outputs, 6, stride).double().eval()
    for unit in block.output:
        torch.nn.init.normal_(unit[1].running_mean)
        torch.nn.init.uniform_(unit[1].running_var, 0.5, 2)
        torch.nn.init.normal_(unit[1].bias)
    x = torch.randn(1, 24, 21, 34).double()
    with torch.no_grad():
        grouped = rewrites.GroupedResidual(block, groups).eval()
        assert len(grouped.groups) == groups
        assert relative(block(x), grouped(x)) < EXACT


@pytest.mark.parametrize(
    ('outputs', 'as_taps'), [(1, True), (3, True), (6, True), (19, True), (40, False)]
)
def test_a_rewritten_head_is_exact_up_to_the_border(outputs, as_taps):
    torch.manual_seed(outputs)
    head = Head(outputs).double().eval()
    torch.nn.init.normal_(head.pre.weight)
    torch.nn.init.normal_(head.out.bias)
    parts = [slice(start, start + 64) for start in range(0, WIDTH, 64)]
    rewritten = rewrites.RewrittenHead(head, parts).eval()
    assert rewritten.as_taps == rewrites.shifted_taps_are_cheaper(outputs) == as_taps
    x = 4 * torch.randn(1, WIDTH, 7, 9).double()
    with torch.no_grad():
        got = rewritten([x[:, part] / rewrites.RELU6_LIMIT for part in parts])
        want = head(x)
    for place in (slice(None), slice(0, 1), slice(-1, None)):
        assert relative(want[:, :, place], got[:, :, place]) < EXACT
        assert relative(want[..., place], got[..., place]) < EXACT


def test_a_part_of_a_depthwise_pooling_block_equals_that_part_of_the_block():
    torch.manual_seed(2)
    pool = ChainedResidualPooling(WIDTH, groups=WIDTH).eval()
    part, x = slice(64, 128), torch.randn(1, WIDTH, 12, 11)
    with torch.no_grad():
        got = rewrites._part_of_pooling(pool, part)(x[:, part])
        assert torch.equal(pool(x)[:, part], got)
