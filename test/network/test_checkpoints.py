"""Checkpoints of every origin load strictly, or are refused with the keys that disagree."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')

from reference_network import random_reference

from hydranet_ros.errors import CheckpointError
from hydranet_ros.network.checkpoints import (
    load_checkpoint,
    load_encoder,
    read_weights,
    save_checkpoint,
    weights_digest,
)
from hydranet_ros.network.hydranet import HydraNetConfig, build_hydranet

OFFICIAL = {
    'ExpKITTI_joint': (6, ('segm', 'depth')),
    'ExpNYUD_joint': (40, ('segm', 'depth')),
    'ExpNYUD_three': (40, ('segm', 'depth', 'normal')),
    'ExpNYUDKITTI_joint': (46, ('segm', 'depth')),
}
IMAGE = torch.randn(1, 3, 61, 83, generator=torch.Generator().manual_seed(5))


def equal_outputs(reference, network) -> bool:
    with torch.no_grad():
        expected, found = reference(IMAGE), list(network(IMAGE).values())
    return all(torch.allclose(a, b, atol=1e-5, rtol=1e-5) for a, b in zip(expected, found))


@pytest.mark.parametrize('name', OFFICIAL)
@pytest.mark.parametrize('old', [False, True], ids=['new', 'torch-0.4'])
def test_official_files_load_with_their_classes_and_tasks(tmp_path: Path, name: str, old: bool):
    """The torch 0.4 form: the old container, no step counters of batch norm."""
    classes, tasks = OFFICIAL[name]
    reference = random_reference(classes, tasks)
    state = dict(reference.state_dict())
    if old:
        state = {k: v for k, v in state.items() if not k.endswith('num_batches_tracked')}
    path = tmp_path / f'{name}.ckpt'
    torch.save({'state_dict': state}, path, _use_new_zipfile_serialization=not old)
    loaded = load_checkpoint(path)
    assert loaded.origin == 'official'
    assert loaded.config.num_classes == classes
    assert len(loaded.config.tasks) == len(tasks)
    assert not loaded.config.align_corners
    assert equal_outputs(reference, loaded.network())


def densetorch(reference, prefix: str) -> dict:
    """Rename a state of the official layout to DenseTorch's."""
    stems = {'conv8': 0, 'conv7': 1, 'conv6': 2, 'conv5': 3, 'conv4': 4, 'conv3': 5}
    heads = ['segm', 'depth', 'normal']
    out = {}
    for key, value in reference.state_dict().items():
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
        out[prefix + key] = value
    return out


@pytest.mark.parametrize('prefix', ['', 'module.'])
@pytest.mark.parametrize('tasks', [('segm', 'depth'), ('segm', 'depth', 'normal')])
def test_densetorch_files_load_with_their_own_upsampling(tmp_path: Path, prefix: str, tasks):
    reference = random_reference(40, tasks, align_corners=True)
    path = tmp_path / 'dense.pth.tar'
    best = [np.float64(0.5), np.float32(0.6)]
    state = densetorch(reference, prefix)
    torch.save({'state_dict': state, 'epoch': 3, 'best_val': best}, path)
    loaded = load_checkpoint(path)
    assert loaded.origin == 'densetorch'
    assert loaded.config.align_corners
    assert equal_outputs(reference, loaded.network())


@pytest.mark.parametrize('encoder', ['resnet18', 'resnet50'])
def test_densetorch_resnets_are_known_by_their_blocks(tmp_path: Path, encoder: str):
    source = build_hydranet(HydraNetConfig(encoder, 40, align_corners=True))
    places = {'stems.(.).0': r'1.stem_convs.\1', 'adapts.(.)': r'1.adapt_convs.\1',
              'heads.segmentation.pre': '1.heads.0.0', 'heads.segmentation.out': '1.heads.0.2',
              'heads.depth.pre': '1.heads.1.0', 'heads.depth.out': '1.heads.1.2'}  # fmt: skip
    state = {}
    for key, value in source.state_dict().items():
        for ours, theirs in places.items():
            key = re.sub(rf'^decoder\.{ours}\.', theirs + '.', key)
        if found := re.fullmatch(r'decoder\.pools\.(.)\.convs\.(.)\.weight', key):
            number = int(found[2]) + 1
            key = f'1.crp_blocks.{found[1]}.0.{number}_outvar_dimred.weight'
        state[re.sub(r'^encoder\.', '0.', key)] = value
    torch.save({'model': state}, tmp_path / 'dense.ckpt')
    loaded = load_checkpoint(tmp_path / 'dense.ckpt')
    assert loaded.config == source.config
    assert weights_digest(loaded.network()) == weights_digest(source)


@pytest.mark.parametrize('encoder', ['mobilenet_v2', 'resnet18', 'resnet50'])
def test_our_own_files_come_back_as_they_were(tmp_path: Path, encoder: str):
    network = build_hydranet(HydraNetConfig(encoder, 7, ('depth', 'segmentation'))).eval()
    save_checkpoint(network, tmp_path / 'own.ckpt')
    loaded = load_checkpoint(tmp_path / 'own.ckpt')
    assert loaded.config == network.config
    assert weights_digest(loaded.network()) == weights_digest(network)
    assert not list(tmp_path.glob('*.part'))


def torchvision_names(encoder: dict) -> dict:
    """Rename our encoder's state to torchvision's MobileNet-v2, and drop the first expansion."""
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


def test_torchvision_mobilenet_fits_with_an_identity_for_the_missing_expansion(tmp_path: Path):
    """Exact: with the identity in place, the encoder's features are the same."""
    source = build_hydranet(init='kaiming').eval()
    state = source.encoder.state_dict()
    state['layer2.0.output.0.0.weight'].copy_(torch.eye(32).view(32, 32, 1, 1))
    names = torchvision_names(state)
    torch.save(names, tmp_path / 'mobilenet_v2.pth')
    target = build_hydranet().eval()
    load_encoder(target, tmp_path / 'mobilenet_v2.pth')
    with torch.no_grad():
        for a, b in zip(source.encoder(IMAGE), target.encoder(IMAGE)):
            assert all(torch.allclose(x, y, rtol=1e-3, atol=1e-3) for x, y in zip(a, b))


@pytest.mark.parametrize('encoder', ['resnet18', 'resnet50'])
def test_torchvision_resnets_fit_as_they_are(tmp_path: Path, encoder: str):
    config = HydraNetConfig(encoder)
    source = build_hydranet(config)
    state = {**source.encoder.state_dict(), 'fc.weight': torch.zeros(1000, 8),
             'fc.bias': torch.zeros(1000)}  # fmt: skip
    torch.save(state, tmp_path / 'resnet.pth')
    target = build_hydranet(config)
    load_encoder(target, tmp_path / 'resnet.pth')
    assert torch.equal(source.encoder.conv1.weight, target.encoder.conv1.weight)


def test_a_file_that_fits_nothing_is_refused_with_its_first_keys(tmp_path: Path):
    torch.save({'state_dict': {'backbone.conv.weight': torch.zeros(1)}}, tmp_path / 'x.ckpt')
    with pytest.raises(CheckpointError, match='backbone.conv.weight'):
        load_checkpoint(tmp_path / 'x.ckpt')


def test_missing_and_misshapen_keys_are_named(tmp_path: Path):
    state = dict(random_reference().state_dict())
    del state['crp2.0.3_outvar_dimred.weight']
    state['conv5.weight'] = torch.zeros(256, 63, 1, 1)
    torch.save({'state_dict': state}, tmp_path / 'x.ckpt')
    with pytest.raises(CheckpointError, match='decoder.pools.2.convs.2.weight') as error:
        load_checkpoint(tmp_path / 'x.ckpt')
    assert 'decoder.stems.1.1.weight (256, 63, 1, 1) instead of (256, 64, 1, 1)' in str(
        error.value
    )


class Harmful:
    def __reduce__(self):
        return (print, ('this must not run',))


@pytest.mark.parametrize('content', ['empty', 'text', 'truncated', 'object'])
def test_a_damaged_or_harmful_file_is_refused_by_name(tmp_path: Path, content: str, capsys):
    path = tmp_path / 'bad.ckpt'
    torch.save({'state_dict': {'a': torch.zeros(1000)}, 'x': Harmful()}, path)
    whole = path.read_bytes()
    path.write_bytes({'empty': b'', 'text': b'hello', 'truncated': whole[:900],
                      'object': whole}[content])  # fmt: skip
    with pytest.raises(CheckpointError, match='bad.ckpt cannot be read as weights') as error:
        read_weights(path)
    assert 'weights_only' not in str(error.value), 'it gives unsafe advice'
    assert 'must not run' not in capsys.readouterr().out


def test_a_missing_file_is_refused_by_name(tmp_path: Path):
    with pytest.raises(CheckpointError, match='does not exist'):
        load_checkpoint(tmp_path / 'none.ckpt')


@pytest.mark.parametrize('old', [False, True], ids=['new', 'torch-0.4'])
@pytest.mark.parametrize('kept', [1, 3, 30, 138, 9000, 0.5])
def test_a_file_cut_anywhere_is_refused_by_name(tmp_path: Path, old: bool, kept: float):
    """Both containers raise whatever they like on damage: OSError, struct.error, IndexError."""
    path = tmp_path / 'cut.ckpt'
    state = {'state_dict': {f'layer{i}.weight': torch.zeros(64, 64) for i in range(40)}}
    torch.save(state, path, _use_new_zipfile_serialization=not old)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept if kept >= 1 else kept * len(whole))])
    with pytest.raises(CheckpointError, match='cut.ckpt cannot be read as weights'):
        read_weights(path)


@pytest.mark.parametrize('raw', [{}, {'config': {}}, {'config': {'tasks': ['depth'], 'x': 1}}])
def test_an_own_file_without_its_parts_is_refused(tmp_path: Path, raw: dict):
    torch.save({'format': 'hydranet_ros.1', 'state_dict': {}, **raw}, tmp_path / 'own.ckpt')
    with pytest.raises(CheckpointError, match='its content is invalid'):
        load_checkpoint(tmp_path / 'own.ckpt')
