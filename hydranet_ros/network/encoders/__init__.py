"""
Encoders: backbones without their classifiers, one module per family.

A new encoder is a subclass of :class:`~hydranet_ros.network.encoders.base.Encoder` and a row in
:data:`ENCODERS`. Configuration, checkpoints and export follow from these.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache, partial
from types import MappingProxyType

import torch

from hydranet_ros.errors import CheckpointError
from hydranet_ros.network.encoders.base import Encoder
from hydranet_ros.network.encoders.mobilenet_v2 import MobileNetV2
from hydranet_ros.network.encoders.resnet import BasicBlock, Bottleneck, ResNet

ENCODERS: Mapping[str, Callable[[], Encoder]] = MappingProxyType({
    'mobilenet_v2': MobileNetV2,
    'resnet18': partial(ResNet, BasicBlock, (2, 2, 2, 2)),
    'resnet34': partial(ResNet, BasicBlock, (3, 4, 6, 3)),
    'resnet50': partial(ResNet, Bottleneck, (3, 4, 6, 3)),
    'resnet101': partial(ResNet, Bottleneck, (3, 4, 23, 3)),
    'resnet152': partial(ResNet, Bottleneck, (3, 8, 36, 3)),
})  # fmt: skip


def build_encoder(name: str) -> Encoder:
    """
    Return an encoder with new random weights.

    :param name: a key of :data:`ENCODERS`.
    :raises CheckpointError: if there is no such encoder.
    """
    if name not in ENCODERS:
        raise CheckpointError(f'encoder is {name!r}; allowed: {", ".join(ENCODERS)}.')
    return ENCODERS[name]()


@cache
def encoder_channels(name: str) -> tuple[tuple[int, ...], ...]:
    """Return :attr:`Encoder.channels` of an encoder without allocating its weights."""
    return _without_weights(name).channels


def identify_encoder(keys: Collection[str]) -> str:
    """
    Return the name of the encoder whose weights have these keys.

    Keys may be missing or left over, as in a damaged file: the encoder with the fewest
    differences is returned.

    :param keys: keys of the encoder's ``state_dict``, in our names.
    :raises CheckpointError: if less than half of the keys fit any encoder.
    """
    found = {key for key in keys if not key.endswith('num_batches_tracked')}
    differences = {name: len(found ^ _weight_keys(name)) for name in ENCODERS}
    nearest = min(differences, key=lambda name: differences[name])
    if 2 * len(found & _weight_keys(nearest)) < len(found) or not found:
        raise CheckpointError(
            f'The encoder with the keys {sorted(found)[:4]} is unknown; known encoders: '
            f'{", ".join(ENCODERS)}.'
        )
    return nearest


@cache
def _weight_keys(name: str) -> frozenset[str]:
    keys = _without_weights(name).state_dict()
    return frozenset(key for key in keys if not key.endswith('num_batches_tracked'))


@cache
def _without_weights(name: str) -> Encoder:
    with torch.device('meta'):
        return build_encoder(name)
