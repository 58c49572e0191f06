"""The parts of the decoder."""

from __future__ import annotations

import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')

from torch import nn
from torch.nn import functional

from hydranet_ros.network.decoders import (
    WIDTH,
    ChainedResidualPooling,
    Head,
    LightWeightRefineNet,
    MaxPool5,
    Stem,
)


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_the_split_pool_is_bit_equal_to_a_5x5_pool():
    x = random(1, 3, 17, 23)
    assert torch.equal(MaxPool5()(x), functional.max_pool2d(x, 5, 1, 2))


def test_chained_pooling_adds_every_stage_to_its_input():
    block, x = ChainedResidualPooling(8), random(1, 8, 9, 11)
    expected, top = x, x
    for conv in block.convs:
        top = conv(functional.max_pool2d(top, 5, 1, 2))
        expected = expected + top
    assert len(block.convs) == 4
    assert torch.equal(block(x), expected)


def test_a_stem_adds_the_feature_maps_of_a_stride():
    stem = Stem(nn.Conv2d(channels, 16, 1, bias=False) for channels in (8, 4))
    first, second = random(1, 8, 5, 6), random(1, 4, 5, 6)
    assert torch.equal(stem([first, second]), stem[0](first) + stem[1](second))


def test_a_head_limits_its_features_to_6():
    head = Head(2)
    with torch.no_grad():
        head.pre.weight.fill_(1)
        head.out.weight.fill_(1 / (9 * WIDTH))
        head.out.bias.zero_()
        found = head(torch.full((1, WIDTH, 5, 5), 100.0))
    assert found.shape == (1, 2, 5, 5)
    assert found[0, 0, 2, 2].item() == pytest.approx(6, rel=1e-4)


@pytest.mark.parametrize('align_corners', [False, True])
def test_deeper_features_are_upsampled_bilinearly_and_added(align_corners):
    """The official code and DenseTorch differ in the mode; the weights belong to one of them."""
    torch.manual_seed(0)
    decoder = LightWeightRefineNet([(8,), (4,)], {'depth': 1}, align_corners=align_corners)
    deep, shallow = random(1, 8, 3, 4), random(1, 4, 6, 7)
    with torch.no_grad():
        x = decoder.pools[0](functional.relu6(decoder.stems[0]([deep])))
        x = functional.interpolate(
            decoder.adapts[0](x), size=(6, 7), mode='bilinear', align_corners=align_corners
        )
        x = decoder.pools[1](functional.relu6(decoder.stems[1]([shallow]) + x))
        found = decoder([[deep], [shallow]])
        assert torch.equal(found['depth'], decoder.heads['depth'](x))


def test_only_the_pooling_of_the_last_stride_is_depthwise():
    decoder = LightWeightRefineNet([(8,), (4,), (4,)], {'depth': 1})
    groups = [pool.convs[0].groups for pool in decoder.pools]
    assert groups == [1, 1, WIDTH]
