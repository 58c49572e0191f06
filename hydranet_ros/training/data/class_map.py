"""
Class maps: from the ids stored in a data set to the ids of a class table.

The file ``config/class_maps/<name>.yaml`` names the stored ids, maps the names to classes, and
defines optional merges. An id that is not in the map is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import DatasetError, PresetError
from hydranet_ros.model_files.metadata import UNLABELED, ClassInfo
from hydranet_ros.model_files.preset import load_classes
from hydranet_ros.model_files.yaml_config import load_yaml
from hydranet_ros.resources import config_file

_UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class ClassMap:
    """
    A map from stored ids to class ids.

    :param name: name of the map, for messages.
    :param classes: the class table that it maps to.
    :param table: (65536,) int16, class id of each stored id; -1 for an id that is not in the map.
    """

    name: str
    classes: tuple[ClassInfo, ...]
    table: NDArray[np.int16]

    def apply(self, ids: NDArray, where: object) -> NDArray[np.uint8]:
        """
        Map stored ids to class ids, uint8 of the same shape, 255 unlabeled.

        :param ids: stored ids, uint8 or uint16.
        :param where: name of the file, for the message.
        :raises DatasetError: if an id is not in the map.
        """
        mapped = self.table[ids]
        if (mapped == _UNKNOWN).any():
            unknown = np.unique(ids[mapped == _UNKNOWN])
            known = np.flatnonzero(self.table != _UNKNOWN)
            raise DatasetError(
                f'{where} has the ids {_ranges(unknown)}, which are not in the class map '
                f'{self.name}; allowed: {_ranges(known)}. Choose another map with classes=NAME: '
                f'{", ".join(class_map_names())}.'
            )
        return mapped.astype(np.uint8)


@dataclass(frozen=True)
class _MapFile:
    """
    The keys of a class map file.

    :param classes: name of the class table.
    :param ids: name of each stored id; several ids may share a name.
    :param map: class of each name; a name without one is unlabeled.
    :param options: changes of ``map`` by name, which are off by default.
    """

    description: str
    classes: str
    ids: Mapping[int, str]
    map: Mapping[str, str]
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def class_map_names() -> tuple[str, ...]:
    """Return the names of the maps that ship, sorted."""
    return tuple(sorted(path.stem for path in config_file('class_maps').glob('*.yaml')))


def load_class_map(name: str, merge: Sequence[str] = ()) -> ClassMap:
    """
    Read ``config/class_maps/<name>.yaml``, or the file ``name`` if it is a path to a YAML file.

    :param merge: names of the options to apply.
    :raises DatasetError: naming the file, the key and what is allowed.
    """
    path = (
        Path(name) if name.endswith(('.yaml', '.yml')) else config_file(f'class_maps/{name}.yaml')
    )
    if not path.is_file():
        raise DatasetError(
            f'Class map {name!r} does not exist ({path}); known maps: '
            f'{", ".join(class_map_names())}. A path to a .yaml file works too.'
        )
    file = load_yaml(path, _MapFile, error=DatasetError)
    return build_map(str(path), file.classes, file.ids, _names(file, merge, path))


def identity_map(table: str) -> ClassMap:
    """Return the map of a data set that stores the ids of the class table ``table``, and 255."""
    classes = load_classes(table)
    ids = {item.id: item.name for item in classes}
    return build_map(table, table, {**ids, UNLABELED: ''}, {name: name for name in ids.values()})


def build_map(name: str, table: str, ids: Mapping[int, str], names: Mapping[str, str]) -> ClassMap:
    """
    Build a class map.

    :param table: name of the class table to map to.
    :param ids: name of each stored id; several ids may share a name.
    :param names: class of each name; a name without one is unlabeled.
    :raises DatasetError: if an id is out of range.
    """
    classes = load_classes(table)
    targets = {item.name: item.id for item in classes}
    lookup = np.full(1 << 16, _UNKNOWN, np.int16)
    for number, source in ids.items():
        if not 0 <= number < 1 << 16:
            raise DatasetError(f'{name}: ids has {number!r}; allowed: whole numbers 0..65535.')
        lookup[number] = targets[names[source]] if source in names else UNLABELED
    return ClassMap(name, classes, lookup)


def _names(file: _MapFile, merge: Sequence[str], path: Path) -> dict[str, str]:
    """Return the class of each name with the requested options applied, after checks."""
    try:
        classes = {item.name for item in load_classes(file.classes)}
    except PresetError as err:
        raise DatasetError(f'{path}: classes: {err}') from err
    for key, names in (('map', file.map), *((f'options.{k}', v) for k, v in file.options.items())):
        for texts, allowed, what in (
            (set(names), set(file.ids.values()), 'names of ids'),
            (set(names.values()), classes, f'classes of {file.classes}'),
        ):
            unknown = sorted(texts - allowed)
            if unknown:
                raise DatasetError(
                    f'{path}: {key}: {unknown} are not {what}; allowed: {sorted(allowed)}.'
                )
    unknown = sorted(set(merge) - set(file.options))
    if unknown:
        raise DatasetError(
            f'{path}: there are no options {unknown} to merge; allowed: {sorted(file.options)}.'
        )
    merged = dict(file.map)
    for option in merge:
        merged |= file.options[option]
    return merged


def _ranges(ids: NDArray) -> str:
    """Format ids as ranges: 0-11, 255."""
    runs = np.split(ids, np.flatnonzero(np.diff(ids.astype(int)) != 1) + 1)
    texts = [str(run[0]) if len(run) == 1 else f'{run[0]}-{run[-1]}' for run in runs if len(run)]
    return ', '.join(texts[:8]) + (', ...' if len(texts) > 8 else '')
