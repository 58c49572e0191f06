"""Parse and check data sources: the kind, the location and the options of a data set."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from hydranet_ros.errors import DatasetError, TrainingError

_FORM = 'KIND:FOLDER[:SPLIT][?key=value&...], for example camvid:data/camvid:val'
_BOOLEANS = {'true': True, '1': True, 'yes': True, 'false': False, '0': False, 'no': False}


@dataclass(frozen=True)
class DataSource:
    """
    One data set on disk.

    :param kind: one of :data:`hydranet_ros.training.data.catalog.KINDS`.
    :param root: folder or file. A leading name in capitals, as in ``CAMVID`` or ``SCENES/train``,
        is a folder that the command line defines.
    :param split: part of the set; kinds without parts allow ``train`` only.
    :param classes: name of a class map in ``config/class_maps``, or the path of one; empty for
        the default of the kind.
    :param merge: options of the class map, such as ``terrain``.
    :param depth_scale: stored depth per meter, for the kind ``folder``.
    :param focal_length: pixels, overrides the calibration of the data set; 0 keeps it.
    :param images: folder of the images, for kinds with separate images (``kitti_depth``).
    :param variant: version of the annotations, see docs/data.md.
    :param limit: number of images to use, from the first; 0 for all.
    :param cache: keep decoded samples in memory.
    :raises DatasetError: if a value is empty or negative.
    """

    kind: str
    root: str
    split: str = 'train'
    classes: str = ''
    merge: tuple[str, ...] = ()
    depth_scale: float = 0.0
    focal_length: float = 0.0
    images: str = ''
    variant: str = ''
    limit: int = 0
    cache: bool = False

    def __post_init__(self) -> None:
        where = f'Data source {self.kind}:{self.root}'
        for name in ('kind', 'root', 'split'):
            if not getattr(self, name):
                raise DatasetError(f'{where}: {name} is empty; expected {_FORM}.')
        for name in ('depth_scale', 'focal_length', 'limit'):
            value = getattr(self, name)
            if not value >= 0:
                raise DatasetError(f'{where}: {name} is {value!r}; allowed: 0 or more.')

    @property
    def path(self) -> Path:
        """Return ``root`` as a path."""
        return Path(self.root)


def parse_source(text: str) -> DataSource:
    """
    Parse ``KIND:FOLDER[:SPLIT][?key=value&...]``.

    The keys are the fields of :class:`DataSource`; ``merge`` takes names separated by commas.
    Values are percent-decoded.

    :raises DatasetError: if the text is malformed; the message shows what is allowed.
    """
    head, _, query = text.partition('?')
    kind, separator, rest = head.partition(':')
    if not separator or not kind or not rest:
        raise DatasetError(f'Got {text!r}; expected {_FORM}.')
    root, separator, split = rest.rpartition(':')
    values: dict[str, object] = {'kind': kind, 'root': root if separator else rest}
    if separator:
        values['split'] = split
    for item in filter(None, query.split('&')):
        key, separator, value = item.partition('=')
        if key not in _PARSERS or not separator:
            raise DatasetError(f'{text!r}: got option {item!r}; allowed: {", ".join(_PARSERS)}.')
        if key in values:
            raise DatasetError(f'{text!r}: the option {key} appears twice.')
        try:
            values[key] = _PARSERS[key](unquote(value))
        except (ValueError, KeyError) as err:
            raise DatasetError(f'{text!r}: {value!r} is not a valid {key}.') from err
    return DataSource(**values)  # type: ignore[arg-type]


def resolve(source: DataSource, roots: Mapping[str, Path]) -> DataSource:
    """
    Replace the leading name in capitals of each folder by its value in ``roots``.

    :raises TrainingError: if ``roots`` does not have the name.
    """
    return dataclasses.replace(
        source, root=_located(source.root, roots), images=_located(source.images, roots)
    )


def _located(text: str, roots: Mapping[str, Path]) -> str:
    head, _, tail = text.partition('/')
    if not head.isupper():
        return text
    if head not in roots:
        raise TrainingError(
            f'The recipe needs the folder {head}; give its path with --data {head}=FOLDER'
        )
    return str(Path(roots[head]) / tail)


_PARSERS: Mapping[str, Callable[[str], object]] = {
    'split': str,
    'classes': str,
    'merge': lambda text: tuple(filter(None, text.split(','))),
    'depth_scale': float,
    'focal_length': float,
    'images': str,
    'variant': str,
    'limit': int,
    'cache': lambda text: _BOOLEANS[text.lower()],
}
