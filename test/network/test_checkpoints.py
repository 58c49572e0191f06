"""Checkpoints of every origin load strictly; an error names the keys that differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')

from network_tools import ALL_TASKS, SEGMENTATION_DEPTH, reference

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
    'ExpKITTI_joint': (6, SEGMENTATION_DEPTH),
    'ExpNYUD_three': (40, ALL_TASKS),
    'ExpNYUDKITTI_joint': (46, SEGMENTATION_DEPTH),
}
IMAGE = torch.randn(1, 3, 45, 67, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize('name', OFFICIAL)
@pytest.mark.parametrize('old', [False, True], ids=['new', 'torch-0.4'])
def test_official_files_have_their_classes_tasks_and_weights(tmp_path: Path, name: str, old: bool):
    """PyTorch 0.4 used another file format and saved no counters of batch norm."""
    classes, tasks = OFFICIAL[name]
    network = reference(classes, tasks)
    state = dict(network.state_dict())
    if old:
        state = {k: v for k, v in state.items() if not k.endswith('num_batches_tracked')}
    path = tmp_path / f'{name}.ckpt'
    torch.save({'state_dict': state}, path, _use_new_zipfile_serialization=not old)
    loaded = load_checkpoint(path)
    assert loaded.origin == 'official'
    assert loaded.config.num_classes == classes
    assert len(loaded.config.tasks) == len(tasks)
    assert not loaded.config.align_corners
    with torch.no_grad():
        for want, got in zip(network(IMAGE), loaded.network()(IMAGE).values()):
            torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('encoder', ['mobilenet_v2', 'resnet18', 'resnet50'])
def test_our_own_files_have_the_saved_configuration_and_weights(tmp_path: Path, encoder: str):
    network = build_hydranet(HydraNetConfig(encoder, 7, ('depth', 'segmentation'))).eval()
    save_checkpoint(network, tmp_path / 'own.ckpt')
    loaded = load_checkpoint(tmp_path / 'own.ckpt')
    assert loaded.origin == 'own'
    assert loaded.config == network.config
    assert weights_digest(loaded.network()) == weights_digest(network)
    assert [path.name for path in tmp_path.iterdir()] == ['own.ckpt']


def test_a_loaded_network_is_in_evaluation_mode(tmp_path: Path):
    save_checkpoint(build_hydranet(), tmp_path / 'own.ckpt')
    assert not load_checkpoint(tmp_path / 'own.ckpt').network().training


def test_the_digest_depends_on_every_weight_and_on_no_file(tmp_path: Path):
    network = build_hydranet()
    digest = weights_digest(network)
    assert weights_digest(network) == digest
    assert len(digest) == 64
    with torch.no_grad():
        network.decoder.heads['depth'].out.bias += 1e-6
    assert weights_digest(network) != digest


# Encoders ----------------------------------------------------------------------------------


@pytest.mark.parametrize('encoder', ['resnet18', 'resnet50'])
@pytest.mark.parametrize('key', [None, 'state_dict', 'model'])
def test_imagenet_weights_are_loaded_into_the_encoder(tmp_path: Path, encoder: str, key):
    source = build_hydranet(HydraNetConfig(encoder)).encoder.state_dict()
    state = {f'module.{name}': value for name, value in source.items()}
    state['fc.weight'] = torch.zeros(1000, 8)
    torch.save(state if key is None else {key: state}, tmp_path / 'resnet.pth')
    target = build_hydranet(HydraNetConfig(encoder))
    load_encoder(target, tmp_path / 'resnet.pth')
    found = target.encoder.state_dict()
    assert all(torch.equal(found[name], value) for name, value in source.items())


def test_imagenet_weights_of_another_encoder_are_refused(tmp_path: Path):
    torch.save(build_hydranet(HydraNetConfig('resnet18')).encoder.state_dict(), tmp_path / 'r.pth')
    with pytest.raises(CheckpointError, match=r'missing .*unknown .conv1.weight'):
        load_encoder(build_hydranet(), tmp_path / 'r.pth')


# Errors ------------------------------------------------------------------------------------


def test_the_error_of_an_unknown_layout_shows_the_first_keys(tmp_path: Path):
    torch.save({'state_dict': {'backbone.conv.weight': torch.zeros(1)}}, tmp_path / 'x.ckpt')
    with pytest.raises(CheckpointError, match='unknown layout.*backbone.conv.weight'):
        load_checkpoint(tmp_path / 'x.ckpt')


def test_the_error_of_a_misfit_names_missing_unknown_and_misshapen_keys(tmp_path: Path):
    state = dict(reference().state_dict())
    del state['crp2.0.3_outvar_dimred.weight']
    state['conv5.weight'] = torch.zeros(256, 63, 1, 1)
    state['extra.weight'] = torch.zeros(1)
    torch.save({'state_dict': state}, tmp_path / 'x.ckpt')
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(tmp_path / 'x.ckpt')
    assert str(error.value) == (
        f'{tmp_path / "x.ckpt"} does not fit the network. Keys: 1 missing '
        '(decoder.pools.2.convs.2.weight); 1 unknown (extra.weight); 1 of another shape '
        '(decoder.stems.1.1.weight (256, 63, 1, 1) instead of (256, 64, 1, 1)).'
    )


def test_a_file_without_heads_is_refused(tmp_path: Path):
    state = {
        key: value for key, value in reference().state_dict().items()
        if not key.startswith(('segm', 'depth', 'pre_'))
    }  # fmt: skip
    torch.save({'state_dict': state}, tmp_path / 'x.ckpt')
    with pytest.raises(CheckpointError, match='no head; expected one or more of segmentation'):
        load_checkpoint(tmp_path / 'x.ckpt')


@pytest.mark.parametrize('content', [{}, {'epoch': 3}, [1, 2], {'state_dict': {'a': 1}}])
def test_a_file_without_a_state_dict_is_refused(tmp_path: Path, content):
    torch.save(content, tmp_path / 'x.ckpt')
    with pytest.raises(CheckpointError, match=r'x.ckpt has no state_dict \(found: '):
        load_checkpoint(tmp_path / 'x.ckpt')


class Harmful:
    def __reduce__(self):
        return (print, ('this must not run',))


@pytest.mark.parametrize('content', ['empty', 'text', 'truncated', 'object'])
def test_a_damaged_or_harmful_file_is_not_unpickled(tmp_path: Path, content: str, capsys):
    path = tmp_path / 'bad.ckpt'
    torch.save({'state_dict': {'a': torch.zeros(1000)}, 'x': Harmful()}, path)
    complete = path.read_bytes()
    path.write_bytes({'empty': b'', 'text': b'hello', 'truncated': complete[:900],
                      'object': complete}[content])  # fmt: skip
    with pytest.raises(CheckpointError, match='bad.ckpt cannot be read as weights') as error:
        read_weights(path)
    assert 'weights_only' not in str(error.value), 'PyTorch gives unsafe advice'
    assert 'must not run' not in capsys.readouterr().out


def test_numpy_scalars_beside_the_weights_are_read(tmp_path: Path):
    """DenseTorch saves its best scores as such."""
    content = {'best': [np.float64(0.5), np.float32(0.6), np.int64(3), np.bool_(True)]}
    torch.save(content, tmp_path / 'x.ckpt')
    assert read_weights(tmp_path / 'x.ckpt') == content


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(CheckpointError, match='does not exist'):
        load_checkpoint(tmp_path / 'none.ckpt')


@pytest.mark.parametrize('old', [False, True], ids=['new', 'torch-0.4'])
@pytest.mark.parametrize('kept', [1, 3, 30, 138, 9000, 0.5])
def test_a_file_truncated_anywhere_is_refused(tmp_path: Path, old: bool, kept: float):
    """Damaged files of both formats raise errors of many types in PyTorch."""
    path = tmp_path / 'cut.ckpt'
    state = {'state_dict': {f'layer{i}.weight': torch.zeros(64, 64) for i in range(40)}}
    torch.save(state, path, _use_new_zipfile_serialization=not old)
    complete = path.read_bytes()
    path.write_bytes(complete[: int(kept if kept >= 1 else kept * len(complete))])
    with pytest.raises(CheckpointError, match='cut.ckpt cannot be read as weights'):
        read_weights(path)


@pytest.mark.parametrize('raw', [{}, {'config': {}}, {'config': {'tasks': ['depth'], 'x': 1}}])
def test_an_own_file_with_invalid_content_is_refused(tmp_path: Path, raw: dict):
    torch.save({'format': 'hydranet_ros.1', 'state_dict': {}, **raw}, tmp_path / 'own.ckpt')
    with pytest.raises(CheckpointError, match='its content is invalid'):
        load_checkpoint(tmp_path / 'own.ckpt')
