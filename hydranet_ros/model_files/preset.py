"""
Presets: which model a data set's node runs and how it is fed.

One file ``config/<name>.yaml`` is one :class:`Preset`. Its ``export`` part is what
``hydranet export`` writes into the model file; at run time the model file alone says what its
classes and depth range are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hydranet_ros.errors import PresetError
from hydranet_ros.model_files.metadata import TASKS, ClassInfo
from hydranet_ros.resources import config_file, share_directory

_PRESET_KEYS = {'description', 'domain', 'fallback', 'models', 'node'}
_MODEL_KEYS = {'file', 'weights', 'export'}
_EXPORT_KEYS = {
    'classes', 'tasks', 'class_slice', 'depth_range', 'focal_length', 'image_size',
    'native_size', 'licence', 'training_data', 'metrics',
}  # fmt: skip
_REQUIRED_EXPORT_KEYS = _EXPORT_KEYS - {'class_slice', 'metrics'}
_CLASS_KEYS = {'id', 'name', 'color', 'surface'}


@dataclass(frozen=True)
class ExportFacts:
    """
    Metadata that the exporter writes into a model file.

    See :class:`~hydranet_ros.model_files.metadata.ModelInfo`.

    :param class_slice: (first, last + 1) channel of the segmentation head that this domain uses,
        ``None`` for all.
    :param focal_length: pixels, at ``image_size`` (height, width).
    """

    classes: tuple[ClassInfo, ...]
    tasks: tuple[str, ...]
    class_slice: tuple[int, int] | None
    depth_range: tuple[float, float]
    focal_length: float
    image_size: tuple[int, int]
    native_size: tuple[int, int]
    licence: str
    training_data: str
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelChoice:
    """
    A model file and where it comes from.

    :param file: name of the ``.onnx``, looked up by :func:`hydranet_ros.resources.find_model`.
    :param weights: name for ``hydranet weights pull``, empty where the model ships.
    """

    file: str
    weights: str
    export: ExportFacts


@dataclass(frozen=True)
class Preset:
    """
    One file of ``config/``.

    :param domain: key of ``models`` used unless the user names another.
    :param fallback: preset whose model is used when this one's file is missing, or empty.
    :param node: defaults of node parameters, overridden by the user's own.
    """

    name: str
    description: str
    domain: str
    fallback: str
    models: Mapping[str, ModelChoice]
    node: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, name: str) -> Preset:
        """
        Read ``config/<name>.yaml``, or a file given by a path that ends in ``.yaml``.

        :raises PresetError: naming the file, the key and the allowed keys.
        """
        path = Path(name) if name.endswith(('.yaml', '.yml')) else config_file(f'{name}.yaml')
        if not path.is_file():
            raise PresetError(
                f'Preset {name!r} does not exist ({path}); known presets: '
                f'{", ".join(preset_names())}. A path to a .yaml file works too.'
            )
        return _parse_preset(_read_yaml(path), path)

    def model(self, domain: str = '') -> ModelChoice:
        """
        Return the model of ``domain``, or of the preset's default domain.

        :raises PresetError: if the preset has no such domain.
        """
        wanted = domain or self.domain
        if wanted not in self.models:
            raise PresetError(
                f'Preset {self.name!r} has no domain {wanted!r}; allowed: {sorted(self.models)}.'
            )
        return self.models[wanted]


def preset_names() -> tuple[str, ...]:
    """Return the names of the presets that ship, sorted."""
    return tuple(sorted(path.stem for path in (share_directory() / 'config').glob('*.yaml')))


def load_classes(name: str) -> tuple[ClassInfo, ...]:
    """
    Read the class table ``config/classes/<name>.yaml``; ids run 0..C-1 in order.

    :raises PresetError: if the table is missing or malformed.
    """
    path = config_file(f'classes/{name}.yaml')
    if not path.is_file():
        known = sorted(item.stem for item in path.parent.glob('*.yaml'))
        raise PresetError(f'Class table {name!r} does not exist; known: {", ".join(known)}.')
    rows = _read_yaml(path)
    if not isinstance(rows, list):
        raise PresetError(f'{path}: a class table is a list of {{id, name, color}}.')
    classes = tuple(_parse_class(row, path) for row in rows)
    if [item.id for item in classes] != list(range(len(classes))):
        raise PresetError(f'{path}: ids must run 0..{len(classes) - 1} in order.')
    return classes


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as err:
        raise PresetError(f'{path} cannot be read as YAML: {err}') from err


def _check_keys(raw: Any, allowed: set[str], required: set[str], where: str) -> None:
    if not isinstance(raw, dict):
        raise PresetError(f'{where}: got {raw!r}, expected a mapping with {sorted(allowed)}.')
    unknown = sorted(str(key) for key in set(raw) - allowed)
    missing = sorted(required - set(raw))
    if unknown or missing:
        raise PresetError(
            f'{where}: unknown keys {unknown}, missing keys {missing}; '
            f'allowed: {sorted(allowed)}, required: {sorted(required)}.'
        )


def _parse_preset(raw: Any, path: Path) -> Preset:
    _check_keys(raw, _PRESET_KEYS, {'description', 'models'}, str(path))
    models = raw['models']
    if not isinstance(models, dict) or not models:
        raise PresetError(f'{path}: models must name at least one model, got {models!r}.')
    parsed = {key: _parse_model(value, f'{path}: models.{key}') for key, value in models.items()}
    domain = raw.get('domain', next(iter(parsed)))
    if domain not in parsed:
        raise PresetError(f'{path}: domain {domain!r} is none of models {sorted(parsed)}.')
    node = raw.get('node') or {}
    if not isinstance(node, dict):
        raise PresetError(f'{path}: node must map parameter names to values, got {node!r}.')
    return Preset(
        path.stem, str(raw['description']), domain, raw.get('fallback', ''), parsed, node
    )


def _parse_model(raw: Any, where: str) -> ModelChoice:
    _check_keys(raw, _MODEL_KEYS, {'file', 'export'}, where)
    return ModelChoice(
        str(raw['file']), str(raw.get('weights', '')), _parse_export(raw['export'], where)
    )


def _parse_export(raw: Any, where: str) -> ExportFacts:
    where = f'{where}.export'
    _check_keys(raw, _EXPORT_KEYS, _REQUIRED_EXPORT_KEYS, where)
    unknown = sorted(set(raw['tasks']) - set(TASKS))
    if unknown or not raw['tasks']:
        raise PresetError(f'{where}.tasks: got {raw["tasks"]}, allowed: any of {list(TASKS)}.')
    class_slice = raw.get('class_slice')
    return ExportFacts(
        classes=load_classes(raw['classes']),
        tasks=tuple(raw['tasks']),
        class_slice=None if class_slice is None else _pair(class_slice, int, where),
        depth_range=_pair(raw['depth_range'], float, f'{where}.depth_range'),
        focal_length=float(raw['focal_length']),
        image_size=_pair(raw['image_size'], int, f'{where}.image_size'),
        native_size=_pair(raw['native_size'], int, f'{where}.native_size'),
        licence=str(raw['licence']),
        training_data=str(raw['training_data']),
        metrics=dict(raw.get('metrics') or {}),
    )


def _pair(raw: Any, kind: type, where: str) -> tuple[Any, Any]:
    if not isinstance(raw, list) or len(raw) != 2:
        raise PresetError(f'{where}: got {raw!r}, expected two numbers [a, b].')
    return kind(raw[0]), kind(raw[1])


def _parse_class(raw: Any, path: Path) -> ClassInfo:
    _check_keys(raw, _CLASS_KEYS, {'id', 'name', 'color'}, str(path))
    color = raw['color']
    if len(color) != 3 or not all(isinstance(v, int) and 0 <= v <= 255 for v in color):
        raise PresetError(f'{path}: color of {raw["name"]!r} is {color}; allowed: three 0..255.')
    return ClassInfo(
        int(raw['id']), str(raw['name']), (color[0], color[1], color[2]), raw.get('surface', True)
    )
