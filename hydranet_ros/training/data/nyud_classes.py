"""
Map the 894 classes of NYUDv2 to 40 with a table that the user provides.

The table is by Gupta et al. (CVPR 2013) and cannot be part of this package.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from hydranet_ros.errors import DatasetError
from hydranet_ros.model_files.preset import load_classes
from hydranet_ros.training.data.class_map import ClassMap, build_map, load_class_map
from hydranet_ros.training.data.files import read_mat

BY_NAME = 'nyud40_by_name'
FILES = ('classMapping40.mat', 'nyud894_nyud40.csv', 'nyud894_nyud40.yaml')
_TABLE = 'nyud40'
_HELP = (
    'The file classMapping40.mat is in the code of Gupta et al., CVPR 2013, and in '
    'ankurhanda/nyuv2-meta-data. Alternatives: a .csv with the columns id (1..894) and class '
    f'(1..40 or its name), or classes={BY_NAME}, which labels only the classes that have the name '
    'of one of the 40 and leaves the rest unlabeled.'
)


def nyud_map(choice: str, folder: Path, names: Sequence[str], merge: Sequence[str]) -> ClassMap:
    """
    Return the map from stored ids (0 unlabeled, 1..894) to the 40 classes.

    :param choice: path of a ``.mat``, ``.csv`` or ``.yaml`` file, the name of a class map,
        :data:`BY_NAME`, or empty for one of :data:`FILES` in ``folder``.
    :param names: names of the stored ids, from id 1.
    :raises DatasetError: if there is no table, or it is malformed.
    """
    if choice == BY_NAME:
        return _by_name(names)
    path = Path(choice) if choice else _find_table(folder)
    if path.suffix not in ('.mat', '.csv'):
        return load_class_map(str(path), merge)
    if merge:
        raise DatasetError(f'{path} has no options to merge (got {list(merge)}).')
    if not path.is_file():
        raise DatasetError(f'The class map {path} is missing. {_HELP}')
    rows = _mat_rows(path) if path.suffix == '.mat' else _csv_rows(path)
    return _numbered(str(path), rows)


def _find_table(folder: Path) -> Path:
    for name in FILES:
        if (folder / name).is_file():
            return folder / name
    raise DatasetError(
        f'{folder} has none of {", ".join(FILES)}. The map of 894 classes to 40 is needed to '
        f'read the labels: put it there, or give classes=FILE. {_HELP}'
    )


def _by_name(names: Sequence[str]) -> ClassMap:
    classes = [item.name for item in load_classes(_TABLE)]
    ids = {0: '', **dict(enumerate(names, 1))}
    return build_map(BY_NAME, _TABLE, ids, {name: name for name in classes if name in names})


def _numbered(name: str, rows: Mapping[int, int]) -> ClassMap:
    """Build a map from ids to the class numbers 1..40, 0 unlabeled."""
    classes = [item.name for item in load_classes(_TABLE)]
    wrong = sorted({target for target in rows.values() if not 0 <= target <= len(classes)})
    if wrong or not rows:
        raise DatasetError(
            f'{name}: {len(rows)} rows, classes {wrong[:5]}; allowed: 1..{len(classes)}, or 0 for '
            f'unlabeled. {_HELP}'
        )
    ids = {0: '', **{number: classes[t - 1] if t else '' for number, t in rows.items()}}
    return build_map(name, _TABLE, ids, {item: item for item in classes})


def _mat_rows(path: Path) -> dict[int, int]:
    return {number: int(value) for number, value in enumerate(read_mat(path, 'mapClass'), 1)}


def _csv_rows(path: Path) -> dict[int, int]:
    classes = {item.name: item.id + 1 for item in load_classes(_TABLE)}
    rows: dict[int, int] = {}
    with path.open(newline='', encoding='utf-8') as handle:
        for line, row in enumerate(csv.reader(handle), 1):
            if not row or (line == 1 and not row[0].strip().isdigit()):
                continue
            try:
                number, target = (item.strip() for item in row)
                rows[int(number)] = classes[target] if target in classes else int(target)
            except ValueError as err:
                raise DatasetError(f'{path}, line {line}: got {row}. {_HELP}') from err
    return rows
