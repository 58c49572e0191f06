"""
What a model file says of itself.

The exported ``.onnx`` carries a :class:`ModelInfo` in its metadata, so that whoever runs the
file needs nothing else: no class list, no palette, no depth range beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from hydranet_ros.errors import ModelError

FORMAT_VERSION = 1
METADATA_KEY = 'hydranet'
TASKS = ('segmentation', 'depth', 'normals')
UNLABELED = 255

REWRITE_HINT = 'Write it with: hydranet export CHECKPOINT --preset NAME -o FILE.onnx'


@dataclass(frozen=True)
class ClassInfo:
    """
    One semantic class.

    ``color`` is (red, green, blue), 0..255. ``surface`` is false for classes such as sky that
    have no depth and no point.
    """

    id: int
    name: str
    color: tuple[int, int, int]
    surface: bool = True


@dataclass(frozen=True)
class ModelInfo:
    """
    All that inference needs to know of a model file.

    :param preset: name of the preset it was exported for.
    :param tasks: subset of ``('segmentation', 'depth', 'normals')``.
    :param classes: the classes, ids 0..C-1 in order; empty without segmentation.
    :param depth_range: (nearest, farthest) depth in metres of the training data, for colouring
        and clamping.
    :param training_focal_length: focal length, in pixels, of the camera that the depth scale was
        learnt with, at ``training_image_size``.
    :param training_image_size: (height, width) in pixels.
    :param native_size: (height, width) the exporter recommends and warms up with.
    :param weights_sha256: sha256, in hexadecimal, of the weights the graph was made from.
    :param metrics: name to value, as measured by the exporter's author.
    """

    preset: str
    encoder: str
    tasks: tuple[str, ...]
    classes: tuple[ClassInfo, ...]
    depth_range: tuple[float, float]
    training_focal_length: float
    training_image_size: tuple[int, int]
    native_size: tuple[int, int]
    license: str
    training_data: str
    weights_sha256: str
    domain: str = ''
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    upsampling: str = 'bilinear'
    metrics: Mapping[str, float] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    def to_metadata(self) -> dict[str, str]:
        """Return the key-value strings to store in the ONNX file."""
        return {METADATA_KEY: json.dumps(asdict(self), sort_keys=True)}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], source: str) -> ModelInfo:
        """
        Read the metadata of an ONNX file.

        :param metadata: the file's key-value strings.
        :param source: the file's name, for messages.
        :raises ModelError: if the metadata are missing, damaged or of a newer format.
        """
        if METADATA_KEY not in metadata:
            raise ModelError(
                f'{source} carries no hydranet_ros metadata (found keys: '
                f'{sorted(metadata) or "none"}), so its classes and depth range are unknown. '
                f'{REWRITE_HINT}'
            )
        try:
            raw = json.loads(metadata[METADATA_KEY])
            return _from_json(cls, raw, source)
        except (ValueError, TypeError, KeyError) as err:
            raise ModelError(f'{source}: damaged metadata ({err}). {REWRITE_HINT}') from err

    @property
    def surface_lookup(self) -> list[bool]:
        """Return 256 booleans: whether a pixel with this class id has a surface."""
        without = {item.id for item in self.classes if not item.surface}
        return [index not in without for index in range(256)]


def _from_json(cls: type[ModelInfo], raw: dict[str, Any], source: str) -> ModelInfo:
    version = raw.get('format_version')
    if version != FORMAT_VERSION:
        raise ModelError(
            f'{source} has metadata format {version!r}; this version reads {FORMAT_VERSION}. '
            f'{REWRITE_HINT}'
        )
    known = {item.name for item in fields(cls)}
    unknown = sorted(set(raw) - known)
    if unknown:
        raise ValueError(f'unknown keys {unknown}')
    raw = dict(raw)
    raw['classes'] = tuple(
        ClassInfo(item['id'], item['name'], tuple(item['color']), item['surface'])
        for item in raw['classes']
    )
    for key in ('tasks', 'depth_range', 'training_image_size', 'native_size', 'mean', 'std'):
        raw[key] = tuple(raw[key])
    return cls(**raw)
