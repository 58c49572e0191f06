"""
Checkpoints of every origin, loaded strictly into our network.

Only weights are ever unpickled. A file whose keys fit no known layout is refused with the first
keys that disagree.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.serialization import safe_globals

from hydranet_ros.errors import CheckpointError
from hydranet_ros.files import atomic_path
from hydranet_ros.network.checkpoint_layouts import (
    HEADS,
    State,
    from_densetorch,
    from_official,
    from_torchvision_mobilenet,
    strip_module,
)
from hydranet_ros.network.hydranet import HydraNet, HydraNetConfig, build_hydranet

FORMAT = 'hydranet_ros.1'
_SHOWN = 4
_RESNET_BY_BLOCKS: dict[tuple[int, ...], str] = {
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
    """
    Write a network in the package's own format, atomically.

    :raises OSError: if the file cannot be written.
    """
    content = {
        'format': FORMAT, 'config': asdict(network.config), 'state_dict': network.state_dict(),
    }  # fmt: skip
    with atomic_path(path) as temporary:
        torch.save(content, temporary)


def load_checkpoint(path: Path) -> Checkpoint:
    """
    Read a checkpoint of our own, of the official repository or of DenseTorch.

    :raises CheckpointError: if the file cannot be read as weights or fits no known layout.
    """
    raw = read_weights(path)
    if isinstance(raw, Mapping) and raw.get('format') == FORMAT:
        return _own(raw, path)
    state = strip_module(_state_of(raw, path))
    if 'layer1.0.weight' in state and 'conv8.weight' in state:
        return _converted(from_official(state), 'official', path, align_corners=False)
    if any(key.startswith('1.stem_convs.') for key in state):
        return _converted(from_densetorch(state), 'densetorch', path, align_corners=True)
    raise CheckpointError(
        f'{path} fits no known layout; its first keys are {sorted(state)[:_SHOWN]}. Known: '
        'official multi-task-refinenet (layer1.0.weight, conv8.weight), DenseTorch '
        '(1.stem_convs.0.weight), hydranet_ros. For an ImageNet encoder use load_encoder.'
    )


def read_weights(path: Path) -> Any:
    """
    Unpickle a file of weights and nothing else, whatever PyTorch wrote it.

    Numbers of numpy are let through: DenseTorch stores its best scores as such.

    :raises CheckpointError: if it is missing, damaged, or holds more than weights.
    """
    if not path.is_file():
        raise CheckpointError(f'Checkpoint {path} does not exist.')
    try:
        with safe_globals(_numpy_numbers()):
            return torch.load(path, map_location='cpu', weights_only=True)
    except Exception as err:  # a damaged pickle can raise anything, down to struct.error
        raise CheckpointError(
            f'{path} cannot be read as weights: {_reason(err)}. A damaged file must be '
            'fetched again; a file that pickles other objects must be saved again as a state_dict.'
        ) from err


def load_encoder(network: HydraNet, path: Path) -> None:
    """
    Load ImageNet weights into the encoder: torchvision's MobileNet-v2 or ResNet, or a file in the
    official key names.

    torchvision's MobileNet-v2 has no expansion where the factor is 1: there the convolution is
    set to the identity, which is exact, since its input is already within ReLU6's range.

    :raises CheckpointError: with the first keys that disagree.
    """
    state = strip_module(_state_of(read_weights(path), path))
    if 'features.0.0.weight' in state:
        state = from_torchvision_mobilenet(state)
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


def _reason(err: Exception) -> str:
    """Return the cause without PyTorch's advice to load the file unsafely."""
    text = str(err)
    if found := re.search(r'WeightsUnpickler error: (.+)', text):
        text = found[1].partition(' Please ')[0]
    elif 'weights_only' in text:
        text = 'it is no pickle of weights'
    return (text.splitlines() or [type(err).__name__])[0].rstrip('. ')


def _numpy_numbers() -> list[Any]:
    """Return what unpickling numpy's plain numbers needs, under the names of numpy 1 and 2."""
    scalar: Any = np.float64(0).__reduce__()[0]
    kinds = [type(np.dtype(kind)) for kind in ('?', 'i4', 'i8', 'f4', 'f8')]
    names = ('numpy.core.multiarray.scalar', 'numpy._core.multiarray.scalar')
    return [np.dtype, *kinds, *((scalar, name) for name in names)]


def _own(raw: Mapping[str, Any], path: Path) -> Checkpoint:
    try:
        config = HydraNetConfig(**dict(raw['config'], tasks=tuple(raw['config']['tasks'])))
        return Checkpoint(config, dict(raw['state_dict']), 'own')
    except (KeyError, TypeError, ValueError) as err:
        raise CheckpointError(
            f'{path} says it is of the format {FORMAT}, but its parts do not fit: '
            f'{type(err).__name__} {err}. Save it again with save_checkpoint.'
        ) from err


def _state_of(raw: Any, path: Path) -> State:
    for key in ('state_dict', 'model', None):
        found = raw if key is None else raw.get(key) if isinstance(raw, Mapping) else None
        if (
            isinstance(found, Mapping)
            and found
            and all(isinstance(value, Tensor) for value in found.values())
        ):
            return dict(found)
    kind = sorted(raw)[:_SHOWN] if isinstance(raw, Mapping) else type(raw).__name__
    raise CheckpointError(
        f'{path} holds no state_dict (found: {kind}); expected a mapping of names to tensors, '
        "bare or under 'state_dict' or 'model'."
    )


def _converted(state: State, origin: str, path: Path, *, align_corners: bool) -> Checkpoint:
    tasks = tuple(task for task in HEADS.values() if f'decoder.heads.{task}.out.weight' in state)
    segm = state.get('decoder.heads.segmentation.out.weight')
    if not tasks:
        raise CheckpointError(f'{path} has no head of {sorted(HEADS.values())}.')
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
    name = _RESNET_BY_BLOCKS.get((*counts, 'encoder.layer1.0.conv3.weight' in state))
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
