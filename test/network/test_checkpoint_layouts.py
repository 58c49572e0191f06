"""The keys of other projects are translated to ours, one to one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')

from network_tools import ALL_TASKS, SEGMENTATION_DEPTH, reference

from hydranet_ros.errors import CheckpointError
from hydranet_ros.network.checkpoint_layouts import from_densetorch, from_official, strip_module
from hydranet_ros.network.checkpoints import load_checkpoint, weights_digest
from hydranet_ros.network.hydranet import HydraNetConfig, build_hydranet

IMAGE = torch.randn(1, 3, 45, 67, generator=torch.Generator().manual_seed(5))


def densetorch(state: dict) -> dict:
    """Rename a state of the official layout to DenseTorch's."""
    stems = {'conv8': 0, 'conv7': 1, 'conv6': 2, 'conv5': 3, 'conv4': 4, 'conv3': 5}
    heads = ['segm', 'depth', 'normal']
    out = {}
    for key, value in state.items():
        head, _, rest = key.partition('.')
        if head in stems:
            key = f'1.stem_convs.{stems[head]}.{rest}'
        elif head.startswith('crp'):
            key = f'1.crp_blocks.{4 - int(head[3])}.{rest}'
        elif head.startswith('conv_adapt'):
            key = f'1.adapt_convs.{4 - int(head[-1])}.{rest}'
        elif head.startswith('pre_'):
            key = f'1.heads.{heads.index(head[4:])}.0.{rest}'
        elif head in heads:
            key = f'1.heads.{heads.index(head)}.2.{rest}'
        else:
            key = f'0.{key}'
        out[key] = value
    return out


def test_official_keys_become_those_of_our_network():
    state = from_official(reference(40, ALL_TASKS).state_dict())
    config = HydraNetConfig(num_classes=40, tasks=('segmentation', 'depth', 'normals'))
    with torch.device('meta'):
        expected = build_hydranet(config).state_dict()
    assert set(state) == set(expected)


def test_unknown_keys_pass_through_both_translations():
    other = torch.zeros(1)
    assert from_official({'other.weight': other}) == {'other.weight': other}
    state = densetorch(reference().state_dict())
    translated = from_densetorch({
        **state, '1.other.weight': other, '1.stem_convs.9.weight': other,
    })  # fmt: skip
    assert {'1.other.weight', '1.stem_convs.9.weight'} <= set(translated)


def test_the_prefix_of_dataparallel_is_dropped_once_at_the_start():
    state = {'module.a.module.b': torch.zeros(1), 'c': torch.zeros(1)}
    assert list(strip_module(state)) == ['a.module.b', 'c']


@pytest.mark.parametrize(('tasks', 'prefix'), [(SEGMENTATION_DEPTH, ''), (ALL_TASKS, 'module.')])
def test_densetorch_files_use_aligned_corners(tmp_path: Path, tasks, prefix: str):
    network = reference(40, tasks, align_corners=True)
    state = {prefix + key: value for key, value in densetorch(network.state_dict()).items()}
    path = tmp_path / 'dense.pth.tar'
    torch.save({'state_dict': state, 'epoch': 3}, path)
    loaded = load_checkpoint(path)
    assert loaded.origin == 'densetorch'
    assert loaded.config.align_corners
    with torch.no_grad():
        for want, got in zip(network(IMAGE), loaded.network()(IMAGE).values()):
            torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('encoder', ['resnet18', 'resnet50'])
def test_densetorch_resnets_have_one_stem_per_stride(tmp_path: Path, encoder: str):
    source = build_hydranet(HydraNetConfig(encoder, 40, align_corners=True))
    names = {'stems.(.).0': r'1.stem_convs.\1', 'adapts.(.)': r'1.adapt_convs.\1',
             'heads.segmentation.pre': '1.heads.0.0', 'heads.segmentation.out': '1.heads.0.2',
             'heads.depth.pre': '1.heads.1.0', 'heads.depth.out': '1.heads.1.2'}  # fmt: skip
    state = {}
    for key, value in source.state_dict().items():
        for ours, theirs in names.items():
            key = re.sub(rf'^decoder\.{ours}\.', theirs + '.', key)
        if found := re.fullmatch(r'decoder\.pools\.(.)\.convs\.(.)\.weight', key):
            number = int(found[2]) + 1
            key = f'1.crp_blocks.{found[1]}.0.{number}_outvar_dimred.weight'
        state[re.sub(r'^encoder\.', '0.', key)] = value
    torch.save({'model': state}, tmp_path / 'dense.ckpt')
    loaded = load_checkpoint(tmp_path / 'dense.ckpt')
    assert loaded.config == source.config
    assert weights_digest(loaded.network()) == weights_digest(source)


@pytest.mark.parametrize(('outputs', 'tasks'), [
    ([40, 1, 3], ['segmentation', 'depth', 'normals']),
    ([1, 40], ['depth', 'segmentation']),
    ([3, 1], ['segmentation', 'depth']),
])  # fmt: skip
def test_densetorch_heads_are_identified_by_their_channels(outputs, tasks):
    """Three channels are normals, unless they are those of the first head."""
    state = {key: value for key, value in densetorch(reference().state_dict()).items()
             if not key.startswith('1.heads')}  # fmt: skip
    for index, count in enumerate(outputs):
        state[f'1.heads.{index}.2.weight'] = torch.zeros(count, 256, 3, 3)
    translated = from_densetorch(state)
    assert [key.split('.')[2] for key in translated if key.startswith('decoder.heads')] == tasks


def test_a_densetorch_file_with_an_unknown_encoder_is_refused():
    state = {'0.blocks.0.weight': torch.zeros(1), '1.stem_convs.0.weight': torch.zeros(1)}
    with pytest.raises(CheckpointError, match=r'blocks\.0\.weight.* is unknown; known encoders'):
        from_densetorch(state)
