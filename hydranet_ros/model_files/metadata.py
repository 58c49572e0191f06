"""
Metadata of a model file.

An exported ``.onnx`` carries a :class:`ModelInfo`, so that running it needs no other file: it
holds the class list, the palette, the depth range and a self-test.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from hydranet_ros.errors import ModelError
from hydranet_ros.model_files.selftest import SelfTest
from hydranet_ros.model_files.yaml_config import structure

FORMAT_VERSION = 2
READABLE_VERSIONS = (1, 2)
METADATA_KEY = 'hydranet'
# Forms of a graph: right in every runtime; rewritten for ONNX Runtime's CPU provider; quantized.
INT8 = 'int8'
FORMS = ('portable', 'cpu', INT8)
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
    Everything that inference needs to know about a model file.

    :param preset: name of the preset it was exported for.
    :param tasks: subset of ``('segmentation', 'depth', 'normals')``.
    :param classes: the classes, ids 0..C-1 in order; empty without segmentation.
    :param depth_range: (nearest, farthest) depth in meters of the training data, for colors and
        clamping.
    :param training_focal_length: focal length, in pixels, of the camera of the training depth, at
        ``training_image_size``.
    :param training_image_size: (height, width) in pixels.
    :param native_size: (height, width) that the exporter recommends and warms up with.
    :param weights_sha256: sha256, in hexadecimal, of the weights in the graph.
    :param metrics: name to value, as measured before the export.
    :param form: one of :data:`FORMS`. A file whose form is ``cpu`` is right in ONNX Runtime's CPU
        provider only.
    :param self_test: image and expected outputs; ``None`` in files of format 1.
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
    form: str = 'portable'
    self_test: SelfTest | None = None
    format_version: int = FORMAT_VERSION

    def to_metadata(self) -> dict[str, str]:
        """Return the key-value strings to store in the ONNX file, with their own digest."""
        values = asdict(self)
        return {METADATA_KEY: json.dumps({**values, 'digest': _digest(values)}, sort_keys=True)}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], source: str) -> ModelInfo:
        """
        Read the metadata of an ONNX file.

        :param metadata: the file's key-value strings.
        :param source: the file's name, for messages.
        :raises ModelError: if the metadata are missing, damaged or of another format.
        """
        if METADATA_KEY not in metadata:
            raise ModelError(
                f'{source} carries no hydranet_ros metadata (found keys: '
                f'{sorted(metadata) or "none"}), so its classes and depth range are unknown. '
                f'{REWRITE_HINT}'
            )
        try:
            raw = json.loads(metadata[METADATA_KEY])
            version = raw.get('format_version')
        except (ValueError, AttributeError, RecursionError) as err:
            raise ModelError(
                f'{source}: its metadata are damaged ({err}). {REWRITE_HINT}'
            ) from err
        if version not in READABLE_VERSIONS:
            raise ModelError(
                f'{source} has metadata format {version!r}; this version reads '
                f'{" and ".join(map(str, READABLE_VERSIONS))}. {REWRITE_HINT}'
            )
        digest = raw.pop('digest', None)
        if version != 1 and digest != _digest(raw):
            raise ModelError(
                f'{source}: its metadata were changed after the export: their digest is '
                f'{_digest(raw)[:12]}, the file states {str(digest)[:12]}. Get the file again. '
                f'{REWRITE_HINT}'
            )
        try:
            info = structure(raw, cls, 'metadata', error=ModelError)
            info.check()
        except ModelError as err:
            raise ModelError(f'{source}: {err} {REWRITE_HINT}') from None
        return info

    def check(self) -> None:
        """
        Check the numbers that inference computes with.

        :raises ModelError: if a number is not positive and finite, or ids are not 0..C-1.
        """
        numbers: dict[str, tuple[float, ...]] = {
            'training_focal_length': (self.training_focal_length,),
            'training_image_size': self.training_image_size,
            'native_size': self.native_size,
        }
        if 'depth' in self.tasks:
            numbers['depth_range'] = (self.depth_range[1] - self.depth_range[0],)
        for name, values in numbers.items():
            if not all(0 < value < math.inf for value in values):
                raise ModelError(
                    f'{name} is {getattr(self, name)}; allowed: positive and finite numbers.'
                )
        ids = [item.id for item in self.classes]
        if ids != list(range(len(ids))) or len(ids) > UNLABELED:
            raise ModelError(f'classes have the ids {ids[:20]}; allowed: 0..C-1 in order.')
        if self.form not in FORMS:
            raise ModelError(f'form is {self.form!r}; allowed: {", ".join(FORMS)}.')
        if self.self_test is not None:
            self.self_test.check()

    @property
    def surface_lookup(self) -> list[bool]:
        """Return 256 booleans: whether a pixel with this class id has a surface."""
        without = {item.id for item in self.classes if not item.surface}
        return [index not in without for index in range(256)]


def _digest(values: Mapping[str, Any]) -> str:
    """Return the sha256 of metadata, in hexadecimal; it does not depend on the order of keys."""
    text = json.dumps(values, sort_keys=True, separators=(',', ':'))
    return hashlib.sha256(text.encode()).hexdigest()
