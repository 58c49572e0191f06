"""
Checkpoints of every origin, loaded strictly into our network.

Only weights are ever unpickled. A file whose keys fit no known layout is refused with the first
keys that disagree.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hydranet_ros.errors import CheckpointError
from hydranet_ros.network.hydranet import HydraNet, HydraNetConfig, build_hydranet

State = dict[str, Tensor]
FORMAT = 'hydranet_ros.1'
_SHOWN = 4
_HEADS = {'segm': 'segmentation', 'depth': 'depth', 'normal': 'normals'}
# Official decoder names, deepest level first, in the order of our stems.
_OFFICIAL_STEMS = {'conv8': '0.0', 'conv7': '0.1', 'conv6': '1.0', 'conv5': '1.1',
                   'conv4': '2.0', 'conv3': '3.0'}  # fmt: skip
_RESNET_BY_BLOCKS = {
    (2, 2, 2, 2, False): 'resnet18',
    (3, 4, 6, 3, False): 'resnet34',
    (3, 4, 6, 3, True): 'resnet50',
    (3, 4, 23, 3, True): 'resnet101',
    (3, 8, 36, 3, True): 'resnet152',
}


@dataclass(frozen=True)
class Checkpoint:
    """
    A checkpoint in our key names.

    :param origin: ``own``, ``official`` or ``densetorch``.
    """

    config: HydraNetConfig
    state: State
    origin: str

    def network(self) -> HydraNet:
        """
        Return the network with these weights, in evaluation mode.

        :raises CheckpointError: if a key is missing, left over, or of another shape.
        """
        network = build_hydranet(self.config)
        _load_strictly(network, self.state, f'{self.origin} checkpoint')
        return network.eval()


def save_checkpoint(network: HydraNet, path: Path) -> None:
    """Write a network in the package's own format, whole or not at all."""
    temporary = path.with_name(path.name + '.part')
    config = asdict(network.config)
    torch.save({'format': FORMAT, 'config': config, 'state_dict': network.state_dict()}, temporary)
    os.replace(temporary, path)


def load_checkpoint(path: Path) -> Checkpoint:
    """
    Read a checkpoint of our own, of the official repository or of DenseTorch.

    :raises CheckpointError: if the file cannot be read as weights or fits no known layout.
    """
    raw = read_weights(path)
    if isinstance(raw, Mapping) and raw.get('format') == FORMAT:
        config = dict(raw['config'], tasks=tuple(raw['config']['tasks']))
        return Checkpoint(HydraNetConfig(**config), dict(raw['state_dict']), 'own')
    state = _strip_module(_state_of(raw, path))
    if 'layer1.0.weight' in state and 'conv8.weight' in state:
        return _converted(_from_official(state), 'official', path, align_corners=False)
    if any(key.startswith('1.stem_convs.') for key in state):
        return _converted(_from_densetorch(state), 'densetorch', path, align_corners=True)
    raise CheckpointError(
        f'{path} fits no known layout; its first keys are {sorted(state)[:_SHOWN]}. Known: '
        'official multi-task-refinenet (layer1.0.weight, conv8.weight), DenseTorch '
        '(1.stem_convs.0.weight), hydranet_ros. For an ImageNet encoder use load_encoder.'
    )


def read_weights(path: Path) -> Any:
    """
    Unpickle a file of weights and nothing else, whatever PyTorch wrote it.

    :raises CheckpointError: if it is missing, damaged, or holds more than weights.
    """
    if not path.is_file():
        raise CheckpointError(f'Checkpoint {path} does not exist.')
    try:
        return torch.load(path, map_location='cpu', weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as err:
        reason = str(err).splitlines()[0] if str(err) else type(err).__name__
        raise CheckpointError(
            f'{path} cannot be read as weights: {reason} A damaged file must be fetched again; '
            'a file that pickles other objects must be saved again as a state_dict.'
        ) from err


def load_encoder(network: HydraNet, path: Path) -> None:
    """
    Load ImageNet weights into the encoder: torchvision's MobileNet-v2 or ResNet, or a file in the
    official key names.

    torchvision's MobileNet-v2 has no expansion where the factor is 1: there the convolution is
    set to the identity, which is exact, since its input is already within ReLU6's range.

    :raises CheckpointError: with the first keys that disagree.
    """
    state = _strip_module(_state_of(read_weights(path), path))
    if 'features.0.0.weight' in state:
        state = _from_torchvision_mobilenet(state)
    own = network.encoder.state_dict()
    state = {key: value for key, value in state.items()
             if not key.startswith(('classifier.', 'fc.'))}  # fmt: skip
    _load_strictly(network.encoder, _with_counters(state, own), str(path))


def weights_digest(network: HydraNet) -> str:
    """Return the sha256 of all weights, in hexadecimal, independent of the file they came from."""
    digest = hashlib.sha256()
    for key, value in sorted(network.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


def _state_of(raw: Any, path: Path) -> State:
    for key in ('state_dict', 'model', None):
        found = raw if key is None else raw.get(key) if isinstance(raw, Mapping) else None
        if isinstance(found, Mapping) and found and all(
            isinstance(value, Tensor) for value in found.values()
        ):
            return dict(found)
    kind = sorted(raw)[:_SHOWN] if isinstance(raw, Mapping) else type(raw).__name__
    raise CheckpointError(
        f'{path} holds no state_dict (found: {kind}); expected a mapping of names to tensors, '
        "bare or under 'state_dict' or 'model'."
    )


def _strip_module(state: State) -> State:
    return {re.sub(r'^module\.', '', key): value for key, value in state.items()}


def _from_official(state: State) -> State:
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
    for name, task in _HEADS.items():
        if head == f'pre_{name}':
            return f'decoder.heads.{task}.pre.{rest}'
        if head == name:
            return f'decoder.heads.{task}.out.{rest}'
    return key


def _from_densetorch(state: State) -> State:
    """Translate DenseTorch's ``0`` (encoder) and ``1`` (decoder) by way of the official names."""
    mobilenet = '0.layer8.0.output.0.0.weight' in state
    widths = ['0.0', '0.1', '1.0', '1.1', '2.0', '3.0'] if mobilenet else ['0.0', '1.0', '2.0', '3.0']
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
    """Heads come in the order segmentation, depth, normals; sizes 1 and 3 tell which is missing."""
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


def _converted(state: State, origin: str, path: Path, *, align_corners: bool) -> Checkpoint:
    tasks = tuple(
        task for task in _HEADS.values() if f'decoder.heads.{task}.out.weight' in state
    )
    segm = state.get('decoder.heads.segmentation.out.weight')
    if not tasks:
        raise CheckpointError(f'{path} has no head of {sorted(_HEADS.values())}.')
    config = HydraNetConfig(
        encoder=_encoder_name(state, path),
        num_classes=6 if segm is None else int(segm.shape[0]),
        tasks=tasks,
        align_corners=align_corners,
    )
    network = build_hydranet(config)
    state = _with_counters(state, network.state_dict())
    _load_strictly(network, state, str(path))
    return Checkpoint(config, state, origin)


def _encoder_name(state: State, path: Path) -> str:
    if 'encoder.layer8.0.output.0.0.weight' in state:
        return 'mobilenet_v2'
    counts = tuple(
        len({key.split('.')[2] for key in state if key.startswith(f'encoder.layer{index}.')})
        for index in range(1, 5)
    )
    name = _RESNET_BY_BLOCKS.get((*counts, 'encoder.layer1.0.conv3.weight' in state))  # type: ignore[call-overload]
    if name is None:
        raise CheckpointError(f'{path}: no known encoder has {counts} blocks.')
    return name


def _with_counters(state: State, own: State) -> State:
    """Add the step counters of batch norm that PyTorch 0.4 did not save."""
    missing = {key: value for key, value in own.items()
               if key.endswith('num_batches_tracked') and key not in state}  # fmt: skip
    return {**state, **missing}


def _load_strictly(module: torch.nn.Module, state: State, source: str) -> None:
    own = module.state_dict()
    missing = [key for key in own if key not in state]
    unknown = [key for key in state if key not in own]
    shapes = [
        f'{key} {tuple(state[key].shape)} instead of {tuple(own[key].shape)}'
        for key in own if key in state and state[key].shape != own[key].shape
    ]  # fmt: skip
    if missing or unknown or shapes:
        raise CheckpointError(
            f'{source} does not fit the network. Missing: {missing[:_SHOWN] or "none"}; '
            f'unknown: {unknown[:_SHOWN] or "none"}; other shapes: {shapes[:_SHOWN] or "none"} '
            f'({len(missing)}, {len(unknown)}, {len(shapes)} in all).'
        )
    module.load_state_dict(state)


def _from_torchvision_mobilenet(state: State) -> State:
    """Translate ``features.N`` to ``layerM.B``; see :func:`load_encoder`."""
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
