"""The table of data set kinds; a new kind is one row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType

from hydranet_ros.errors import DatasetError
from hydranet_ros.training.data import cityscapes, kitti, nyud, nyud_mat, plain, sequences
from hydranet_ros.training.data.check import check_dataset
from hydranet_ros.training.data.reader import Cached, Picked, Reader, Refocused
from hydranet_ros.training.data.source import DataSource, resolve

__all__ = ['KINDS', 'Kind', 'check_dataset', 'open_dataset']

_COMMON = frozenset({'kind', 'root', 'focal_length', 'limit', 'cache'})
_LABELS = frozenset({'classes', 'merge'})


@dataclass(frozen=True)
class Kind:
    """
    A layout of files on disk.

    :param opener: lists the files of a source whose root is an actual path.
    :param options: fields of :class:`DataSource` that the kind supports besides the common ones.
    :param classes: default class map.
    :param variants: allowed values of the field ``variant``.
    """

    opener: Callable[[DataSource], Reader]
    options: frozenset[str]
    classes: str = ''
    variants: tuple[str, ...] = ()


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        'camvid': Kind(plain.open_camvid, _LABELS | {'split'}, 'camvid_kitti6'),
        'scenes': Kind(plain.open_scenes, _LABELS),
        'colored': Kind(plain.open_colored, frozenset({'classes'}), 'kitti6'),
        'folder': Kind(plain.open_folder, _LABELS | {'depth_scale'}),
        'nyud': Kind(nyud.open_nyud, _LABELS | {'split'}, 'nyud40'),
        'nyud_mat': Kind(
            nyud_mat.open_nyud_mat, _LABELS | {'split', 'variant'}, variants=('raw', 'filled')
        ),
        'nyud_sync': Kind(nyud.open_nyud_sync, frozenset({'split'})),
        'kitti_semantics': Kind(
            kitti.open_kitti_semantics, _LABELS | {'split'}, 'cityscapes_kitti6'
        ),
        'kitti_depth': Kind(
            kitti.open_kitti_depth,
            frozenset({'split', 'images', 'variant'}),
            variants=kitti.CAMERAS,
        ),
        'kitti_raw': Kind(
            kitti.open_kitti_raw,
            frozenset({'split', 'variant'}),
            variants=(*kitti.CAMERAS, 'eigen'),
        ),
        'cityscapes': Kind(
            cityscapes.open_cityscapes,
            _LABELS | {'split', 'variant'},
            variants=('labelIds', 'labelTrainIds'),
        ),
        'rgbd': Kind(sequences.open_rgbd, frozenset()),
        'tum': Kind(sequences.open_tum, frozenset()),
    }
)


def open_dataset(source: DataSource, roots: Mapping[str, Path] = MappingProxyType({})) -> Reader:
    """
    Open a data set: list its files without decoding them.

    :param roots: folder for each name in capitals that ``source.root`` may begin with.
    :raises DatasetError: naming the missing folder or file, or the option that the kind does not
        support.
    :raises TrainingError: if ``roots`` does not have the name.
    """
    if source.kind not in KINDS:
        raise DatasetError(
            f'Data set kind {source.kind!r} is unknown; allowed: {", ".join(KINDS)}.'
        )
    kind = KINDS[source.kind]
    _check_options(source, kind)
    located = resolve(source, roots)
    samples = kind.opener(replace(located, classes=source.classes or kind.classes))
    if source.focal_length:
        samples = Refocused(samples, source.focal_length)
    if source.limit:
        samples = Picked(samples, tuple(range(min(source.limit, len(samples)))))
    return Cached(samples) if source.cache else samples


def _check_options(source: DataSource, kind: Kind) -> None:
    allowed = kind.options | _COMMON
    for item in fields(DataSource):
        value = getattr(source, item.name)
        if item.name not in allowed and value != item.default:
            raise DatasetError(
                f'Data set kind {source.kind} has no {item.name} (got {value!r}); its options: '
                f'{", ".join(sorted(allowed - {"kind", "root"}))}.'
            )
    if source.variant and source.variant not in kind.variants:
        raise DatasetError(
            f'Data set kind {source.kind} has no variant {source.variant!r}; allowed: '
            f'{", ".join(kind.variants)}.'
        )
