"""Which data set, where, and with which options: what users write, checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from hydranet_ros.errors import DatasetError, TrainingError

_FORM = 'KIND:FOLDER[:SPLIT][?key=value&...], for example camvid:data/camvid:val'
_TRUTH = {'true': True, '1': True, 'yes': True, 'false': False, '0': False, 'no': False}


@dataclass(frozen=True)
class DataSource:
    """
    One data set on disk.

    :param kind: one of :data:`hydranet_ros.training.data.catalog.KINDS`.
    :param root: folder or file; a name in capitals at its head stands for a folder that the
        command line gives, as in ``CAMVID`` or ``SCENES/train``.
    :param split: which part of the set; kinds without parts know ``train`` only.
    :param classes: name of a class map of ``config/class_maps``, or a path to one; empty for the
        kind's own.
    :param merge: options of the class map, such as ``terrain``.
    :param depth_scale: for the kind ``folder``: metres are the stored value divided by this.
    :param focal_length: pixels, overrides what the data set says of its camera; 0 does not.
    :param images: folder of the images where the kind keeps them apart (``kitti_depth``).
    :param variant: which of the kind's own versions of an annotation, see docs/data.md.
    :param limit: take the first so many images; 0 for all.
    :param cache: keep decoded samples in memory.
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
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
                raise DatasetError(f'{where}: {name} is {value!r}; allowed: 0 or more.')
        if isinstance(self.merge, str) or not all(isinstance(item, str) for item in self.merge):
            raise DatasetError(f'{where}: merge is {self.merge!r}; expected a list of names.')

    @property
    def path(self) -> Path:
        """Return ``root`` as a path."""
        return Path(self.root)


def parse_source(text: str) -> DataSource:
    """
    Read ``KIND:FOLDER[:SPLIT][?key=value&...]``.

    The keys are the fields of :class:`DataSource`; ``merge`` takes names separated by commas. A
    ``%`` followed by two hexadecimal digits stands for that character in a value.

    :raises DatasetError: naming what is wrong and what is allowed.
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
            raise DatasetError(f'{text!r}: {key} is given twice.')
        try:
            values[key] = _PARSERS[key](unquote(value))
        except (ValueError, KeyError) as err:
            raise DatasetError(f'{text!r}: {value!r} is no value for {key}.') from err
    return DataSource(**values)  # type: ignore[arg-type]


def resolve(source: DataSource, roots: Mapping[str, Path]) -> DataSource:
    """
    Replace a name in capitals at the head of a folder by what ``roots`` gives for it.

    :raises TrainingError: if ``roots`` lacks the name.
    """
    return dataclasses.replace(
        source, root=_placed(source.root, roots), images=_placed(source.images, roots)
    )


def _placed(text: str, roots: Mapping[str, Path]) -> str:
    head, _, tail = text.partition('/')
    if not head.isupper():
        return text
    if head not in roots:
        raise TrainingError(
            f'The experiment names the folder {head}; say where it is: --data {head}=FOLDER'
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
    'cache': lambda text: _TRUTH[text.lower()],
}
