"""
The node's parameters: one field of :class:`NodeParameters` declares each of them.

Values come from these defaults, then from the ``node`` part of the preset, then from the user.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

from hydranet_ros.camera.conventions import DEPTH_ENCODINGS
from hydranet_ros.errors import ParameterError
from hydranet_ros.images.header import DEFAULT_MAX_PIXELS, LARGEST_MAX_PIXELS
from hydranet_ros.inference.options import PRECISIONS, EngineOptions
from hydranet_ros.inference.providers import PROVIDERS
from hydranet_ros.perception.colormaps import DEFAULT_DEPTH_COLORMAP, DEPTH_COLORMAPS
from hydranet_ros.perception.pipeline import PerceptionSettings

IMAGE_TRANSPORTS = ('raw', 'compressed')


@dataclass(frozen=True)
class ParameterSpec:
    """
    Description of one parameter.

    :param live: the parameter can be changed while the node is active; the others take effect at
        the next configure, and a change is refused before.
    :param fixed: the parameter cannot be changed after startup.
    :param span: allowed (lowest, highest) number.
    :param choices: allowed strings; empty if every string is allowed.
    """

    description: str
    live: bool = False
    fixed: bool = False
    span: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()


def _parameter(
    default: Any, description: str, *, live: bool = False, fixed: bool = False,
    span: tuple[float, float] | None = None, choices: Iterable[str] = (),
) -> Any:  # fmt: skip
    spec = ParameterSpec(description, live, fixed, span, tuple(choices))
    return field(default=default, metadata={'spec': spec})


@dataclass(frozen=True)
class NodeParameters:
    """
    Values of all parameters; the order of the fields is the order of declaration.

    :raises ParameterError: if a value is none of its parameter's choices.
    """

    preset: str = _parameter('street', 'Preset: a name in config/ or the path of a .yaml file.')
    domain: str = _parameter(
        '', 'Domain of a preset with several (nyud_kitti: nyud or kitti); empty for its default.'
    )
    model: str = _parameter('', 'Model file, a path or a name; empty for that of the preset.')
    provider: str = _parameter(
        'auto', 'Execution provider. auto falls back with a warning; any other is an error if it '
        'is not available.', choices=('auto', *PROVIDERS),
    )  # fmt: skip
    threads: int = _parameter(0, 'Threads of the CPU provider; 0 for all cores.', span=(0, 256))
    precision: str = _parameter(
        'auto', 'Arithmetic of the network. auto: the fastest of the provider that passes the '
        "model's self-test; int8 needs a quantized model file.", choices=PRECISIONS,
    )  # fmt: skip
    device: str = _parameter(
        '', 'Device of the provider; empty for its default. CUDA and TensorRT: number of the GPU. '
        'OpenVINO: CPU, GPU, GPU.1, NPU or AUTO.'
    )  # fmt: skip
    engine_cache: str = _parameter(
        '', "Folder of compiled models; empty for the user's cache folder."
    )
    image_transport: str = _parameter('raw', 'Transport of the image.', choices=IMAGE_TRANSPORTS)
    depth_encoding: str = _parameter(
        '32FC1', 'Encoding of depth/image. 32FC1: meters, NaN unknown; 16UC1: millimeters, 0 '
        'unknown.', live=True, choices=DEPTH_ENCODINGS,
    )  # fmt: skip
    overlay_alpha: float = _parameter(
        0.5, 'Weight of the class colors in the overlay.', live=True, span=(0.0, 1.0)
    )
    depth_colormap: str = _parameter(
        DEFAULT_DEPTH_COLORMAP, 'Colormap of depth/color.', live=True, choices=DEPTH_COLORMAPS
    )
    cloud_stride: int = _parameter(
        1, "Use every n-th pixel for the cloud; above 1 the cloud does not have the mask's grid.",
        live=True, span=(1, 64),
    )  # fmt: skip
    scale_by_focal_length: bool = _parameter(
        True, "Multiply depth by the ratio of this camera's focal length to the training "
        "camera's.", live=True,
    )  # fmt: skip
    rectified: bool = _parameter(
        False, 'The image is rectified (image_rect): P of the camera info describes its camera, '
        'without distortion.',
    )  # fmt: skip
    max_depth: float = _parameter(
        0.0, 'Depth in meters beyond which it is unknown; 0 for no limit.',
        live=True, span=(0.0, 1000.0),
    )  # fmt: skip
    min_confidence: float = _parameter(
        0.0, 'Probability of the class below which a pixel is unlabeled (255).',
        live=True, span=(0.0, 1.0),
    )  # fmt: skip
    max_pixels: int = _parameter(
        DEFAULT_MAX_PIXELS, 'Largest accepted width times height of an image. A larger image is '
        'dropped before it is decoded. The network needs about 240 bytes of memory per pixel.',
        live=True, span=(1, LARGEST_MAX_PIXELS),
    )  # fmt: skip
    autostart: bool = _parameter(
        True, 'Configure and activate the node without a lifecycle manager.', fixed=True
    )
    diagnostics_period: float = _parameter(
        1.0, 'Seconds between two messages on /diagnostics.', live=True, span=(0.1, 60.0)
    )
    max_age: float = _parameter(
        1.0, 'Age of a result in seconds above which diagnostics warn; 0 for no limit.',
        live=True, span=(0.0, 60.0),
    )  # fmt: skip

    def __post_init__(self) -> None:
        for name, spec in TABLE.items():
            value = getattr(self, name)
            if spec.choices and value not in spec.choices:
                raise ParameterError(f'{name} is {value!r}; allowed: {", ".join(spec.choices)}.')


TABLE: Mapping[str, ParameterSpec] = MappingProxyType(
    {item.name: item.metadata['spec'] for item in fields(NodeParameters)}
)
"""Description of every parameter by name, in the order of declaration."""


def names() -> tuple[str, ...]:
    """Return the names of all parameters in the order of declaration."""
    return tuple(TABLE)


def descriptor(name: str) -> ParameterDescriptor:
    """Return the ROS descriptor of a parameter."""
    spec = TABLE[name]
    note = 'Changes take effect at once.' if spec.live else 'Takes effect at the next configure.'
    note = 'Can only be set at startup.' if spec.fixed else note
    message = ParameterDescriptor(
        name=name, description=f'{spec.description} {note}', read_only=spec.fixed
    )
    if spec.choices:
        message.additional_constraints = f'One of: {", ".join(spec.choices)}.'
    if spec.span is not None:
        low, high = spec.span
        if isinstance(getattr(NodeParameters, name), float):
            message.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        else:
            message.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    return message


def defaults(preset_node: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the default of every parameter.

    :param preset_node: the ``node`` part of a preset.
    :raises ParameterError: if the preset sets a parameter that does not exist.
    """
    unknown = sorted(set(preset_node) - set(TABLE))
    if unknown:
        raise ParameterError(
            f'The preset sets unknown parameters: {", ".join(unknown)}; allowed: '
            f'{", ".join(TABLE)}.'
        )
    return {name: preset_node.get(name, getattr(NodeParameters, name)) for name in TABLE}


def refusal(changes: Sequence[Any], current: Mapping[str, Any], *, configured: bool) -> str:
    """
    Return the reason to refuse a change of parameters, or an empty string to accept it.

    :param changes: objects with ``name`` and ``value``; other nodes' parameters are ignored.
    :param current: current value of every parameter.
    :param configured: whether a model is loaded.
    """
    requested = {item.name: item.value for item in changes if item.name in TABLE}
    refused = sorted(
        name for name, value in requested.items()
        if configured and not TABLE[name].live and value != current.get(name)
    )  # fmt: skip
    if refused:
        return (
            f'{", ".join(refused)} cannot change while the node is configured; call cleanup, then '
            'set and configure again.'
        )
    try:
        NodeParameters(**{**current, **requested})
    except ParameterError as err:
        return str(err)
    return ''


def perception_settings(parameters: NodeParameters) -> PerceptionSettings:
    """Return the parameters of the same names as settings of perception."""
    names = (item.name for item in fields(PerceptionSettings))
    return PerceptionSettings(**{name: getattr(parameters, name) for name in names})


def engine_options(parameters: NodeParameters) -> EngineOptions:
    """Return the options of the engine."""
    return EngineOptions(
        provider=parameters.provider,
        threads=parameters.threads,
        precision=parameters.precision,
        device=parameters.device,
        cache_directory=Path(parameters.engine_cache) if parameters.engine_cache else None,
    )
