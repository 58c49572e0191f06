"""
Load checkpoints of this package, of the official repository and of DenseTorch.

Only weights are unpickled. Every key of a file must fit the network.
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
    from_densetorch,
    from_official,
    strip_module,
)
from hydranet_ros.network.encoders import identify_encoder
from hydranet_ros.network.encoders.base import State
from hydranet_ros.network.hydranet import HydraNet, HydraNetConfig, build_hydranet

FORMAT = 'hydranet_ros.1'
_SHOWN = 4


@dataclass(frozen=True)
class Checkpoint:
    """
    The weights of a network, with our keys.

    :param origin: layout of the file: ``own``, ``official`` or ``densetorch``.
    """

    config: HydraNetConfig
    state: State
    origin: str

    def network(self) -> HydraNet:
        """
        Return the network with these weights, in evaluation mode.

        :raises CheckpointError: if a key is missing or unknown, or has another shape.
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
        f'{path} has an unknown layout; its first keys are {sorted(state)[:_SHOWN]}. Known '
        'layouts: hydranet_ros, the official multi-task-refinenet (layer1.0.weight, '
        'conv8.weight), DenseTorch (1.stem_convs.0.weight). Weights of an encoder alone '
        '(ImageNet) belong to network.imagenet of a training recipe.'
    )


def read_weights(path: Path) -> Any:
    """
    Unpickle a file that PyTorch 0.4 or later saved, if it holds nothing but weights.

    NumPy scalars are allowed too: DenseTorch stores its best scores as such.

    :raises CheckpointError: if the file is missing, damaged, or holds other objects.
    """
    if not path.is_file():
        raise CheckpointError(f'Checkpoint {path} does not exist.')
    try:
        with safe_globals(_numpy_numbers()):
            return torch.load(path, map_location='cpu', weights_only=True)
    except Exception as err:  # a damaged pickle raises anything, even struct.error
        raise CheckpointError(
            f'{path} cannot be read as weights: {_reason(err)}. Download a damaged file again; '
            'save a file that pickles other objects as a state_dict.'
        ) from err


def load_encoder(network: HydraNet, path: Path) -> None:
    """
    Load ImageNet weights into the encoder.

    :param path: weights of torchvision's classifier of the same architecture, or of the encoder
        in the official keys.
    :raises CheckpointError: if the file cannot be read, or does not fit the encoder; the message
        names the first keys that differ.
    """
    encoder = network.encoder
    state = encoder.from_torchvision(strip_module(_state_of(read_weights(path), path)))
    _load_strictly(encoder, _with_counters(state, encoder.state_dict()), str(path))


def weights_digest(network: HydraNet) -> str:
    """Return the sha256 of all weights and their keys, in hexadecimal, whatever their file was."""
    digest = hashlib.sha256()
    for key, value in sorted(network.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


def _reason(err: Exception) -> str:
    """Return the first line of an error, without PyTorch's advice to load the file unsafely."""
    text = str(err)
    if found := re.search(r'WeightsUnpickler error: (.+)', text):
        text = found[1].partition(' Please ')[0]
    elif 'weights_only' in text:
        text = 'it is not a pickle of weights'
    return (text.splitlines() or [type(err).__name__])[0].rstrip('. ')


def _numpy_numbers() -> list[Any]:
    """Return the globals that pickled NumPy scalars refer to, under NumPy 1's and 2's names."""
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
            f'{path} has the format {FORMAT}, but its content is invalid: '
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
        f'{path} has no state_dict (found: {kind}); expected a mapping of names to tensors, '
        "alone or under the key 'state_dict' or 'model'."
    )


def _converted(state: State, origin: str, path: Path, *, align_corners: bool) -> Checkpoint:
    tasks = tuple(task for task in HEADS.values() if f'decoder.heads.{task}.out.weight' in state)
    segm = state.get('decoder.heads.segmentation.out.weight')
    if not tasks:
        raise CheckpointError(
            f'{path} has no head; expected one or more of {", ".join(HEADS.values())}.'
        )
    config = HydraNetConfig(
        encoder=identify_encoder(_encoder_keys(state)),
        num_classes=6 if segm is None else int(segm.shape[0]),
        tasks=tasks,
        align_corners=align_corners,
    )
    with torch.device('meta'):
        expected = build_hydranet(config).state_dict()
    state = _with_counters(state, expected)
    _require_fit(state, expected, str(path))
    return Checkpoint(config, state, origin)


def _encoder_keys(state: State) -> list[str]:
    return [key.removeprefix('encoder.') for key in state if key.startswith('encoder.')]


def _with_counters(state: State, own: State) -> State:
    """Add the batch counters of batch norm, which PyTorch 0.4 did not save."""
    missing = {key: torch.zeros_like(value, device='cpu') for key, value in own.items()
               if key.endswith('num_batches_tracked') and key not in state}  # fmt: skip
    return {**state, **missing}


def _load_strictly(module: torch.nn.Module, state: State, source: str) -> None:
    _require_fit(state, module.state_dict(), source)
    module.load_state_dict(state)


def _require_fit(state: State, own: State, source: str) -> None:
    """Check that a state has exactly the keys and shapes of a module's own."""
    missing = [key for key in own if key not in state]
    unknown = [key for key in state if key not in own]
    shapes = [
        f'{key} {tuple(state[key].shape)} instead of {tuple(own[key].shape)}'
        for key in own if key in state and state[key].shape != own[key].shape
    ]  # fmt: skip
    found = {'missing': missing, 'unknown': unknown, 'of another shape': shapes}
    problems = [
        f'{len(keys)} {what} ({", ".join(keys[:_SHOWN])})' for what, keys in found.items() if keys
    ]
    if problems:
        raise CheckpointError(f'{source} does not fit the network. Keys: {"; ".join(problems)}.')
