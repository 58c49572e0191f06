"""
Translate the keys of other projects' checkpoints to ours.

A key that no rule translates passes through; loading reports it.
"""

from __future__ import annotations

import re

from hydranet_ros.network.encoders import encoder_channels, identify_encoder
from hydranet_ros.network.encoders.base import State

# Tasks by the official names of their heads.
HEADS = {'segm': 'segmentation', 'depth': 'depth', 'normal': 'normals'}
# Official decoder keys, deepest stride first, in the order of our stems.
_OFFICIAL_STEMS = {'conv8': '0.0', 'conv7': '0.1', 'conv6': '1.0', 'conv5': '1.1',
                   'conv4': '2.0', 'conv3': '3.0'}  # fmt: skip


def strip_module(state: State) -> State:
    """Drop the prefix ``module.`` that DataParallel adds to every key."""
    return {re.sub(r'^module\.', '', key): value for key, value in state.items()}


def from_official(state: State) -> State:
    """Translate the keys of the official multi-task-refinenet."""
    return {_from_official_key(key): value for key, value in state.items()}


def _from_official_key(key: str) -> str:
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
    """
    Translate the keys of DenseTorch: ``0`` is the encoder, ``1`` the decoder.

    :raises CheckpointError: if the encoder is unknown.
    """
    encoder = identify_encoder([key[2:] for key in state if key.startswith('0.')])
    stems = [f'{level}.{index}' for level, widths in enumerate(encoder_channels(encoder))
             for index in range(len(widths))]  # fmt: skip
    heads = _densetorch_heads(state)
    return {_from_densetorch_key(key, stems, heads): value for key, value in state.items()}


def _from_densetorch_key(key: str, stems: list[str], heads: dict[int, str]) -> str:
    if found := re.fullmatch(r'1\.stem_convs\.(\d+)\.(.+)', key):
        number = int(found[1])
        return f'decoder.stems.{stems[number]}.{found[2]}' if number < len(stems) else key
    if found := re.fullmatch(r'1\.crp_blocks\.(\d)\.0\.([1-4])_outvar_dimred\.weight', key):
        return f'decoder.pools.{found[1]}.convs.{int(found[2]) - 1}.weight'
    if found := re.fullmatch(r'1\.adapt_convs\.(\d)\.(.+)', key):
        return f'decoder.adapts.{found[1]}.{found[2]}'
    if found := re.fullmatch(r'1\.heads\.(\d)\.([02])\.(.+)', key):
        part = 'pre' if found[2] == '0' else 'out'
        return f'decoder.heads.{heads.get(int(found[1]), "unknown")}.{part}.{found[3]}'
    return f'encoder.{key[2:]}' if key.startswith('0.') else key


def _densetorch_heads(state: State) -> dict[int, str]:
    """
    Return the task of each head, by its number of output channels.

    One channel is depth; three are normals, unless it is the first head; others are segmentation.
    """
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
