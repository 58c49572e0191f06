"""
The node's parameters: one table that declares them, one frozen dataclass that holds them.

Defaults come from the table, then from the preset's ``node`` part, then from the user.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

from hydranet_ros.camera.conventions import DEPTH_ENCODINGS
from hydranet_ros.errors import ParameterError
from hydranet_ros.images.header import DEFAULT_MAX_PIXELS, LARGEST_MAX_PIXELS
from hydranet_ros.inference.providers import PROVIDERS, EngineOptions
from hydranet_ros.perception.pipeline import PerceptionSettings

PROVIDER_CHOICES = ('auto', *PROVIDERS)
TRANSPORTS = ('raw', 'compressed')


@dataclass(frozen=True)
class NodeParameters:
    """Every parameter of the node, validated as a whole; meanings and units in :data:`TABLE`."""

    preset: str = 'street'
    domain: str = ''
    model: str = ''
    provider: str = 'auto'
    threads: int = 0
    fp16: bool = False
    engine_cache: str = ''
    image_transport: str = 'raw'
    depth_encoding: str = '32FC1'
    overlay_alpha: float = 0.5
    cloud_stride: int = 1
    scale_by_focal_length: bool = True
    rectified: bool = False
    max_depth: float = 0.0
    min_confidence: float = 0.0
    max_pixels: int = DEFAULT_MAX_PIXELS
    autostart: bool = True
    diagnostics_period: float = 1.0
    max_age: float = 1.0

    def __post_init__(self) -> None:
        _one_of('provider', self.provider, PROVIDER_CHOICES)
        _one_of('image_transport', self.image_transport, TRANSPORTS)
        _one_of('depth_encoding', self.depth_encoding, DEPTH_ENCODINGS)


@dataclass(frozen=True)
class Spec:
    """
    One parameter's description.

    :param live: may be changed while the node is active; the others take effect at the next
        configure and are refused before.
    :param fixed: cannot be changed after the start.
    :param span: allowed (lowest, highest).
    """

    description: str
    live: bool = False
    fixed: bool = False
    span: tuple[float, float] | None = None


TABLE: Mapping[str, Spec] = {
    'preset': Spec('Preset of config/ (a name, or a path to a .yaml).'),
    'domain': Spec('Domain of a model that has several (nyud_kitti: nyud or kitti); empty: the '
                   'default.'),
    'model': Spec('Model file, a path or a name; empty: the one of the preset.'),
    'provider': Spec(f'Execution provider, one of {", ".join(PROVIDER_CHOICES)}; auto falls back with a '
                     'warning, any other is an error if it cannot be had.'),
    'threads': Spec('Threads of the CPU provider; 0: all cores.', span=(0, 256)),
    'fp16': Spec('Half precision in TensorRT.'),
    'engine_cache': Spec("Folder of built TensorRT engines; empty: the user's cache folder."),
    'image_transport': Spec(f'Transport of the image, one of {", ".join(TRANSPORTS)}.'),
    'depth_encoding': Spec('32FC1: metres, NaN unknown; 16UC1: millimetres, 0 unknown.',
                           live=True),
    'overlay_alpha': Spec('Weight of the palette in the overlay.', live=True, span=(0.0, 1.0)),
    'cloud_stride': Spec('Take every so many pixels into the cloud; above 1 it no longer has the '
                         "mask's grid.", live=True, span=(1, 64)),
    'scale_by_focal_length': Spec("Multiply depth by this camera's focal length over the training "
                                  "camera's.", live=True),
    'rectified': Spec('The image is rectified already (image_rect): its camera is P of the camera '
                      'info, without distortion.'),
    'max_depth': Spec('Depth beyond this is unknown; metres, 0: no limit.', live=True,
                      span=(0.0, 1000.0)),
    'max_pixels': Spec('Largest width times height of an image; larger ones are given up before '
                       'they are decoded. The network needs about 240 bytes of memory a pixel.',
                       live=True, span=(1, LARGEST_MAX_PIXELS)),
    'min_confidence': Spec('Pixels whose class has a lower probability are unlabeled (255).',
                           live=True, span=(0.0, 1.0)),
    'autostart': Spec('Configure and activate without a lifecycle manager.', fixed=True),
    'diagnostics_period': Spec('Seconds between two messages on /diagnostics.', live=True,
                               span=(0.1, 60.0)),
    'max_age': Spec('Age of a result, in seconds, above which diagnostics warn.', live=True,
                    span=(0.0, 60.0)),
}  # fmt: skip


def descriptor(name: str) -> ParameterDescriptor:
    """Return the ROS descriptor of a parameter."""
    spec = TABLE[name]
    note = 'Changes at once.' if spec.live else 'Takes effect at the next configure.'
    note = 'Set at the start only.' if spec.fixed else note
    message = ParameterDescriptor(
        name=name, description=f'{spec.description} {note}', read_only=spec.fixed
    )
    if spec.span is not None:
        low, high = spec.span
        if isinstance(getattr(NodeParameters, name), float):
            message.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        else:
            message.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    return message


def names() -> tuple[str, ...]:
    """Return the names of all parameters in the order of declaration."""
    return tuple(item.name for item in fields(NodeParameters))


def defaults(preset_node: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the default of every parameter.

    :param preset_node: the ``node`` part of a preset.
    :raises ParameterError: if the preset names a parameter that does not exist.
    """
    unknown = sorted(set(preset_node) - set(names()))
    if unknown:
        raise ParameterError(f'The preset sets unknown parameters {unknown}; allowed: {names()}.')
    return {name: preset_node.get(name, getattr(NodeParameters, name)) for name in names()}


def refusal(changes: Sequence[Any], current: Mapping[str, Any], *, configured: bool) -> str:
    """
    Return why a change of parameters must be refused, or an empty string.

    :param changes: objects with ``name`` and ``value``.
    :param current: the values now.
    :param configured: whether a model is loaded.
    """
    wanted = {item.name: item.value for item in changes if item.name in TABLE}
    fixed = sorted(
        name for name, value in wanted.items()
        if configured and not TABLE[name].live and value != current.get(name)
    )  # fmt: skip
    if fixed:
        return f'{", ".join(fixed)} cannot change while configured; cleanup and configure first.'
    try:
        NodeParameters(**{**current, **wanted})
    except ParameterError as err:
        return str(err)
    return ''


def perception_settings(settings: NodeParameters) -> PerceptionSettings:
    """Return the part of the parameters that perception needs."""
    return PerceptionSettings(
        overlay_alpha=settings.overlay_alpha,
        cloud_stride=settings.cloud_stride,
        scale_by_focal_length=settings.scale_by_focal_length,
        max_depth=settings.max_depth,
        min_confidence=settings.min_confidence,
    )


def engine_options(settings: NodeParameters) -> EngineOptions:
    """Return the part of the parameters that the engine needs."""
    return EngineOptions(
        provider=settings.provider,
        threads=settings.threads,
        fp16=settings.fp16,
        cache_directory=Path(settings.engine_cache) if settings.engine_cache else None,
    )


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ParameterError(f'{name} is {value!r}; allowed: {", ".join(allowed)}.')
