"""
Presets: the model and the parameters of the node for one data set.

One file ``config/<name>.yaml`` is one :class:`Preset`. ``hydranet export`` writes its ``export``
part into the model file. At run time classes and depth range come from the model file alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydranet_ros.errors import PresetError
from hydranet_ros.model_files.metadata import TASKS, ClassInfo
from hydranet_ros.model_files.yaml_config import load_yaml
from hydranet_ros.resources import config_file, share_directory


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
    depth_range: tuple[float, float]
    focal_length: float
    image_size: tuple[int, int]
    native_size: tuple[int, int]
    license: str
    training_data: str
    class_slice: tuple[int, int] | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.tasks or set(self.tasks) - set(TASKS):
            raise PresetError(
                f'tasks is {list(self.tasks)}; allowed: one or more of {", ".join(TASKS)}.'
            )


@dataclass(frozen=True)
class ModelChoice:
    """
    A model file and its source.

    :param file: name of the ``.onnx``; see
        :func:`~hydranet_ros.model_files.resolve.find_model`.
    :param weights: name for ``hydranet weights pull``, empty if the model ships.
    """

    file: str
    export: ExportFacts
    weights: str = ''


@dataclass(frozen=True)
class _PresetFile:
    """The keys of a preset file; see :class:`Preset`."""

    description: str
    models: Mapping[str, ModelChoice]
    domain: str = ''
    fallback: str = ''
    node: Mapping[str, Any] = field(default_factory=dict)


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

        :raises PresetError: naming the file, the key, the value and what is allowed.
        """
        path = Path(name) if name.endswith(('.yaml', '.yml')) else config_file(f'{name}.yaml')
        if not path.is_file():
            raise PresetError(
                f'Preset {name!r} does not exist ({path}); known presets: '
                f'{", ".join(preset_names())}. A path to a .yaml file works too.'
            )
        found = load_yaml(path, _PresetFile, parsers={tuple[ClassInfo, ...]: load_classes})
        if not found.models:
            raise PresetError(f'{path}: models is empty; expected at least one model.')
        domain = found.domain or next(iter(found.models))
        if domain not in found.models:
            raise PresetError(
                f'{path}: domain is {domain!r}; allowed: {", ".join(sorted(found.models))}.'
            )
        return cls(
            path.stem, found.description, domain, found.fallback, found.models, found.node
        )  # fmt: skip

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
    classes = load_yaml(path, tuple[ClassInfo, ...])
    for item in classes:
        _check_color(item, path)
    if [item.id for item in classes] != list(range(len(classes))):
        raise PresetError(f'{path}: ids must run 0..{len(classes) - 1} in order.')
    return classes


def _check_color(item: ClassInfo, path: Path) -> None:
    if not all(0 <= value <= 255 for value in item.color):
        raise PresetError(
            f'{path}: color of {item.name!r} is {list(item.color)}; allowed: three 0..255.'
        )
