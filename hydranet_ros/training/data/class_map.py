"""
Class maps: from the ids that a data set stores to the ids of one of our class tables.

A map is data, ``config/class_maps/<name>.yaml``: the stored ids by name, what becomes of each
name, and the merges that are off unless a user asks for them. An id that the map does not know is
an error, never silently unlabelled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from hydranet_ros.errors import DatasetError, PresetError
from hydranet_ros.model_info import UNLABELLED, ClassInfo
from hydranet_ros.preset import load_classes
from hydranet_ros.resources import config_file

_KEYS = {'description', 'classes', 'ids', 'map', 'options'}
_REQUIRED = {'description', 'classes', 'ids'}
_UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class ClassMap:
    """
    A map of ids.

    :param name: for messages.
    :param classes: the table that it maps to.
    :param table: (65536,) int16, class id of each stored id; -1 where the map knows none.
    """

    name: str
    classes: tuple[ClassInfo, ...]
    table: NDArray[np.int16]

    def apply(self, ids: NDArray, where: object) -> NDArray[np.uint8]:
        """
        Return class ids, uint8 of the same shape, 255 unlabelled.

        :param ids: stored ids, uint8 or uint16.
        :param where: the file, for the message.
        :raises DatasetError: if an id is not in the map.
        """
        mapped = self.table[ids]
        if (mapped == _UNKNOWN).any():
            strange = np.unique(ids[mapped == _UNKNOWN])
            known = np.flatnonzero(self.table != _UNKNOWN)
            raise DatasetError(
                f'{where} holds the ids {_short(strange)}, which the class map {self.name} does '
                f'not know; allowed: {_short(known)}. Choose another map with classes=NAME: '
                f'{", ".join(class_map_names())}.'
            )
        return mapped.astype(np.uint8)


def class_map_names() -> tuple[str, ...]:
    """Return the names of the maps that ship, sorted."""
    return tuple(sorted(path.stem for path in config_file('class_maps').glob('*.yaml')))


def load_class_map(name: str, merge: Sequence[str] = ()) -> ClassMap:
    """
    Read ``config/class_maps/<name>.yaml``, or the file that ``name`` is the path of.

    :param merge: names of the map's options to apply.
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
    try:
        raw = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as err:
        raise DatasetError(f'{path} cannot be read as YAML: {err}') from err
    return _parse(raw, path, merge)


def identity_map(table: str) -> ClassMap:
    """Return the map of ids that are those of class table ``table`` already, and 255."""
    classes = load_classes(table)
    ids = {item.id: item.name for item in classes}
    return build_map(table, table, {**ids, UNLABELLED: ''}, {name: name for name in ids.values()})


def build_map(name: str, table: str, ids: Mapping[int, str], names: Mapping[str, str]) -> ClassMap:
    """
    Put a map together.

    :param table: name of the class table to map to.
    :param ids: name of each stored id; several ids may share a name.
    :param names: class of the table for each such name; names without one are unlabelled.
    :raises DatasetError: if an id is out of range.
    """
    classes = load_classes(table)
    targets = {item.name: item.id for item in classes}
    lookup = np.full(1 << 16, _UNKNOWN, np.int16)
    for number, source in ids.items():
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 1 << 16:
            raise DatasetError(f'{name}: ids holds {number!r}; allowed: whole numbers 0..65535.')
        lookup[number] = targets[names[source]] if source in names else UNLABELLED
    return ClassMap(name, classes, lookup)


def _parse(raw: Any, path: Path, merge: Sequence[str]) -> ClassMap:
    if not isinstance(raw, dict):
        raise DatasetError(f'{path}: got {raw!r}, expected a mapping with {sorted(_KEYS)}.')
    unknown = sorted(str(key) for key in set(raw) - _KEYS)
    missing = sorted(_REQUIRED - set(raw))
    if unknown or missing:
        raise DatasetError(
            f'{path}: unknown keys {unknown}, missing keys {missing}; '
            f'allowed: {sorted(_KEYS)}, required: {sorted(_REQUIRED)}.'
        )
    ids = {key: str(value) for key, value in _mapping(raw['ids'], f'{path}: ids').items()}
    table = str(raw['classes'])
    try:
        targets = {item.name for item in load_classes(table)}
    except PresetError as err:
        raise DatasetError(f'{path}: classes: {err}') from err
    known = set(ids.values())
    names = _names(raw.get('map'), known, targets, f'{path}: map')
    options = {
        key: _names(value, known, targets, f'{path}: options.{key}')
        for key, value in _mapping(raw.get('options') or {}, f'{path}: options').items()
    }
    for option in merge:
        if option not in options:
            raise DatasetError(
                f'{path}: there is no option {option!r} to merge; allowed: {sorted(options)}.'
            )
        names = {**names, **options[option]}
    return build_map(str(path), table, ids, names)


def _names(raw: Any, known: set[str], targets: set[str], where: str) -> dict[str, str]:
    names = {str(key): str(value) for key, value in _mapping(raw, where).items()}
    for texts, allowed, what in (
        (set(names), known, 'names of ids'),
        (set(names.values()), targets, 'classes'),
    ):
        strange = sorted(texts - allowed)
        if strange:
            raise DatasetError(f'{where}: {strange} are no {what}; allowed: {sorted(allowed)}.')
    return names


def _mapping(raw: Any, where: str) -> dict[Any, Any]:
    if not isinstance(raw, dict):
        raise DatasetError(f'{where}: got {raw!r}, expected a mapping.')
    return raw


def _short(ids: NDArray) -> str:
    """Write ids as ranges: 0-11, 255."""
    runs = np.split(ids, np.flatnonzero(np.diff(ids.astype(int)) != 1) + 1)
    texts = [str(run[0]) if len(run) == 1 else f'{run[0]}-{run[-1]}' for run in runs if len(run)]
    return ', '.join(texts[:8]) + (', ...' if len(texts) > 8 else '')
