"""Every encoder of the table has the interface that decoder, checkpoints and export use."""

from __future__ import annotations

from types import MappingProxyType

import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')

from torch import nn

from hydranet_ros.errors import CheckpointError
from hydranet_ros.network import encoders
from hydranet_ros.network.checkpoints import load_checkpoint, save_checkpoint
from hydranet_ros.network.encoders import (
    ENCODERS,
    build_encoder,
    encoder_channels,
    identify_encoder,
)
from hydranet_ros.network.encoders.base import Encoder
from hydranet_ros.network.hydranet import HydraNetConfig, build_hydranet

IMAGE = torch.randn(1, 3, 61, 83, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize('name', ENCODERS)
def test_features_have_the_announced_channels_at_strides_32_to_4(name):
    with torch.device('meta'):
        encoder = build_encoder(name).eval()
        features = encoder(torch.zeros(1, 3, 64, 96))
    assert [tuple(x.shape[1] for x in level) for level in features] == list(encoder.channels)
    for level, stride in zip(features, (32, 16, 8, 4)):
        assert all(x.shape[2:] == (64 // stride, 96 // stride) for x in level)
    assert encoder_channels(name) == encoder.channels


@pytest.mark.parametrize('name', ENCODERS)
def test_the_first_convolution_reads_the_image(name):
    with torch.device('meta'):
        encoder = build_encoder(name)
    assert encoder.first_convolution is next(
        module for module in encoder.modules() if isinstance(module, nn.Conv2d)
    )
    assert encoder.first_convolution.in_channels == 3


@pytest.mark.parametrize('name', ENCODERS)
def test_an_encoder_is_identified_by_its_keys(name):
    with torch.device('meta'):
        keys = list(build_encoder(name).state_dict())
    assert identify_encoder(keys) == name
    assert identify_encoder(keys[3:]) == name, 'some keys are missing'
    assert identify_encoder([*keys, 'fc.weight', 'fc.bias']) == name, 'some keys are left over'
    counters = [key for key in keys if not key.endswith('num_batches_tracked')]
    assert identify_encoder(counters) == name, 'PyTorch 0.4 saved no counters'


@pytest.mark.parametrize('keys', [[], ['conv1.weight', 'blocks.0.attn.qkv.weight', 'norm.bias']])
def test_an_unknown_encoder_is_refused(keys):
    with pytest.raises(CheckpointError, match='unknown; known encoders: mobilenet_v2, '):
        identify_encoder(keys)


def test_the_error_of_an_unknown_name_lists_the_encoders():
    with pytest.raises(CheckpointError, match="encoder is 'vgg16'; allowed: mobilenet_v2"):
        build_encoder('vgg16')


def torchvision_names(encoder: dict) -> dict:
    """Rename MobileNet-v2's state as torchvision does, and drop the first expansion."""
    counts, out, index = [1, 2, 3, 4, 3, 3, 1], {}, 1
    for rest in ('0.weight', '1.weight', '1.bias', '1.running_mean', '1.running_var'):
        out[f'features.0.{rest}'] = encoder[f'layer1.{rest}']
    for stage, count in enumerate(counts, start=2):
        for block in range(count):
            for key, value in encoder.items():
                start = f'layer{stage}.{block}.output.'
                if not key.startswith(start):
                    continue
                part, inner, name = key[len(start) :].split('.')
                part = int(part)
                if index == 1:
                    if part == 0:
                        continue
                    part -= 1
                pairs = 1 if index == 1 else 2
                place = f'{part}.{inner}' if part < pairs else str(pairs + int(inner))
                out[f'features.{index}.conv.{place}.{name}'] = value
            index += 1
    return {**out, 'classifier.1.weight': torch.zeros(1000, 1280),
            'features.18.0.weight': torch.zeros(1280, 320, 1, 1)}  # fmt: skip


def test_torchvisions_mobilenet_computes_the_same_features():
    """The missing expansion becomes an identity, which changes nothing."""
    source = build_hydranet(init='kaiming').eval().encoder
    state = source.state_dict()
    state['layer2.0.output.0.0.weight'].copy_(torch.eye(32).view(32, 32, 1, 1))
    target = build_encoder('mobilenet_v2').eval()
    target.load_state_dict(target.from_torchvision(torchvision_names(state)), strict=False)
    with torch.no_grad():
        for a, b in zip(source(IMAGE), target(IMAGE)):
            assert all(torch.allclose(x, y, rtol=1e-3, atol=1e-3) for x, y in zip(a, b))


@pytest.mark.parametrize(('name', 'classifier'), [('mobilenet_v2', 'classifier'),
                                                  ('resnet18', 'fc')])  # fmt: skip
def test_a_state_in_our_keys_passes_without_its_classifier(name, classifier):
    encoder = build_encoder(name)
    state = {**encoder.state_dict(), f'{classifier}.weight': torch.zeros(1)}
    assert list(encoder.from_torchvision(state)) == list(encoder.state_dict())


class TinyEncoder(Encoder):
    """A backbone of four convolutions."""

    channels = ((8,), (8,), (8,), (8,))

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Conv2d(3 if i == 0 else 8, 8, 3, 4 if i == 0 else 2, 1) for i in range(4)
        )

    @property
    def first_convolution(self) -> nn.Conv2d:
        return self.stages[0]

    def forward(self, x):
        features = []
        for stage in self.stages:
            x = stage(x)
            features.insert(0, [x])
        return features


def test_a_new_encoder_needs_one_row(monkeypatch, tmp_path):
    """It can be configured, saved, loaded and rewritten for export."""
    from hydranet_ros.network import hydranet
    from hydranet_ros.network.rewrites import RewrittenNetwork

    rows = MappingProxyType({**ENCODERS, 'tiny': TinyEncoder})
    for module in (encoders, hydranet):
        monkeypatch.setattr(module, 'ENCODERS', rows)
    network = build_hydranet(HydraNetConfig('tiny'), init='kaiming').eval()
    save_checkpoint(network, tmp_path / 'tiny.ckpt')
    loaded = load_checkpoint(tmp_path / 'tiny.ckpt').network()
    offset, factor = network.normalization()
    pixels = 255 * torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        expected = loaded((pixels - offset) * factor)
        found = RewrittenNetwork(loaded).eval()(pixels - offset)
    for task in expected:
        torch.testing.assert_close(found[task], expected[task], rtol=1e-3, atol=1e-4)
