"""
The key names of other projects' checkpoints, translated to ours.

Nothing is checked here: a key that no rule knows passes through, to be reported by the loader.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor

State = dict[str, Tensor]
HEADS = {'segm': 'segmentation', 'depth': 'depth', 'normal': 'normals'}
# Official decoder names, deepest level first, in the order of our stems.
_OFFICIAL_STEMS = {'conv8': '0.0', 'conv7': '0.1', 'conv6': '1.0', 'conv5': '1.1',
                   'conv4': '2.0', 'conv3': '3.0'}  # fmt: skip


def strip_module(state: State) -> State:
    """Drop the prefix that DataParallel puts before every key."""
    return {re.sub(r'^module\.', '', key): value for key, value in state.items()}


def from_official(state: State) -> State:
    """Translate the keys of the official multi-task-refinenet."""
    return {_official_key(key): value for key, value in state.items()}


def _official_key(key: str) -> str:
    """Translate one key of the official layout; unknown keys pass, to be reported."""
    head, _, rest = key.partition('.')
    if head.startswith('layer'):
        return f'encoder.{key}'
    if head in _OFFICIAL_STEMS:
        return f'decoder.stems.{_OFFICIAL_STEMS[head]}.{rest}'
    if found := re.fullmatch(r'crp([1-4])\.0\.([1-4])_outvar_dimred\.weight', key):
        return f'decoder.pools.{4 - int(found[1])}.convs.{int(found[2]) - 1}.weight'
    if found := re.fullmatch(r'conv_adapt([2-4])', head):
        return f'decoder.adapts.{4 - int(found[1])}.{rest}'
    for name, task in HEADS.items():
        if head == f'pre_{name}':
            return f'decoder.heads.{task}.pre.{rest}'
        if head == name:
            return f'decoder.heads.{task}.out.{rest}'
    return key


def from_densetorch(state: State) -> State:
    """Translate DenseTorch's ``0`` (encoder) and ``1`` (decoder) by way of the official names."""
    mobilenet = '0.layer8.0.output.0.0.weight' in state
    widths = (
        ['0.0', '0.1', '1.0', '1.1', '2.0', '3.0'] if mobilenet else ['0.0', '1.0', '2.0', '3.0']
    )
    heads = _densetorch_heads(state)
    out = {}
    for key, value in state.items():
        if found := re.fullmatch(r'1\.stem_convs\.(\d+)\.(.+)', key):
            key = f'decoder.stems.{widths[int(found[1])]}.{found[2]}'
        elif found := re.fullmatch(r'1\.crp_blocks\.(\d)\.0\.([1-4])_outvar_dimred\.weight', key):
            key = f'decoder.pools.{found[1]}.convs.{int(found[2]) - 1}.weight'
        elif found := re.fullmatch(r'1\.adapt_convs\.(\d)\.(.+)', key):
            key = f'decoder.adapts.{found[1]}.{found[2]}'
        elif found := re.fullmatch(r'1\.heads\.(\d)\.([02])\.(.+)', key):
            part = 'pre' if found[2] == '0' else 'out'
            key = f'decoder.heads.{heads.get(int(found[1]), "unknown")}.{part}.{found[3]}'
        elif key.startswith('0.'):
            key = f'encoder.{key[2:]}'
        out[key] = value
    return out


def _densetorch_heads(state: State) -> dict[int, str]:
    """Tell heads by their outputs: 1 depth, 3 after another head normals, else segmentation."""
    sizes = {}
    for key, value in state.items():
        if found := re.fullmatch(r'1\.heads\.(\d)\.2\.weight', key):
            sizes[int(found[1])] = value.shape[0]
    tasks = {}
    for index, outputs in sorted(sizes.items()):
        if outputs == 1:
            tasks[index] = 'depth'
        elif outputs == 3 and index > 0:
            tasks[index] = 'normals'
        else:
            tasks[index] = 'segmentation'
    return tasks


def from_torchvision_mobilenet(state: State) -> State:
    """Translate ``features.N`` to ``layerM.B``; see
    :func:`hydranet_ros.network.checkpoints.load_encoder`."""
    blocks = [1, 2, 3, 4, 3, 3, 1]
    places = [(stage + 2, block) for stage, count in enumerate(blocks) for block in range(count)]
    out: State = {}
    for key, value in state.items():
        parts = key.split('.')
        if parts[0] != 'features':
            continue
        index = int(parts[1])
        if index == 0:
            out['.'.join(['layer1', *parts[2:]])] = value
        elif index <= len(places):
            stage, block = places[index - 1]
            out[f'layer{stage}.{block}.output.{_torchvision_place(index, parts[3:])}'] = value
    return {**out, **_identity_expansion(32)}


def _torchvision_place(index: int, parts: list[str]) -> str:
    """Translate what follows ``features.N.conv``: (conv, bn) pairs, then a bare conv and bn."""
    first = 1 if index == 1 else 0
    pairs = 1 if index == 1 else 2
    position = int(parts[0])
    if position < pairs:
        return '.'.join([str(position + first), *parts[1:]])
    return '.'.join([str(pairs + first), str(position - pairs), *parts[1:]])


def _identity_expansion(width: int) -> State:
    prefix = 'layer2.0.output.0'
    return {
        f'{prefix}.0.weight': torch.eye(width).view(width, width, 1, 1),
        f'{prefix}.1.weight': torch.full((width,), (1 + 1e-5) ** 0.5),
        f'{prefix}.1.bias': torch.zeros(width),
        f'{prefix}.1.running_mean': torch.zeros(width),
        f'{prefix}.1.running_var': torch.ones(width),
    }
