"""Tables of metrics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hydranet_ros.model_files.metadata import ClassInfo
from hydranet_ros.training.adverse import CORRUPTIONS
from hydranet_ros.training.evaluation.run import CLEAR, MEAN
from hydranet_ros.training.evaluation.tables import notes, tables


def columns(table) -> dict[str, list[str]]:
    return {str(column.header): list(column.cells) for column in table.columns}


def test_each_group_has_a_table_with_a_row_for_each_condition(measured) -> None:
    found = list(tables(measured.results[0]))
    assert len(found) == 3
    for table in found:
        assert columns(table)['condition'] == [CLEAR, *CORRUPTIONS, MEAN]


def test_values_are_those_of_the_result_in_their_units(measured) -> None:
    result = measured.results[0]
    segmentation, pooled, _ = (columns(table) for table in tables(result))
    assert list(segmentation) == [
        'condition', 'mIoU %', 'pixel accuracy %', 'sky', 'building', 'road',
    ]  # fmt: skip
    clear = result.metrics()[CLEAR]
    assert segmentation['mIoU %'][0] == f'{100 * clear["segmentation"]["miou"]:.1f}'
    assert pooled['RMSE m'][0] == f'{clear["depth_pooled"]["rmse"]:.3f}'
    ious = result.tallies[CLEAR].confusion.iou
    assert segmentation['sky'][0] == f'{100 * ious[0]:.1f}'


def test_the_last_row_is_the_mean_over_the_corruptions(measured) -> None:
    result = measured.results[0]
    segmentation = columns(next(iter(tables(result))))
    ious = [result.tallies[name].confusion.iou[2] for name in CORRUPTIONS]
    assert segmentation['road'][-1] == f'{100 * np.mean(ious):.1f}'


def test_published_rows_stand_below_ours_in_the_table_of_their_protocol(measured) -> None:
    result = replace(measured.results[0], kind='kitti_depth')
    segmentation, pooled, per_image = (columns(table) for table in tables(result))
    assert segmentation['condition'][-1] == pooled['condition'][-1] == 'paper, KITTI-6'
    assert segmentation['mIoU %'][-1] == '87.0'
    assert pooled['RMSE m'][-1] == '3.453'
    assert pooled['abs rel'][-1] == segmentation['sky'][-1] == '-'
    assert 'paper, KITTI-6' not in per_image['condition']


def test_many_classes_get_a_table_of_their_own(measured) -> None:
    original = measured.results[0]
    many = tuple(ClassInfo(i, f'class {i}', (0, 0, 0)) for i in range(13))
    tallies = {}
    for name, tally in original.tallies.items():
        tallies[name] = replace(tally, num_classes=13)
        tallies[name].confusion.counts[:3, :3] = tally.confusion.counts
        tallies[name].depth = tally.depth
    result = replace(original, model=replace(original.model, classes=many), tallies=tallies)
    *groups, by_class = (columns(table) for table in tables(result))
    assert list(groups[0]) == ['condition', 'mIoU %', 'pixel accuracy %']
    assert by_class['class'] == [item.name for item in many]
    assert by_class[CLEAR][12] == '-'
    assert list(by_class) == ['class', CLEAR, *CORRUPTIONS, MEAN]


def test_notes_state_the_images_the_limits_and_the_published_sources(measured) -> None:
    result = replace(measured.results[0], kind='kitti_depth')
    first, *others = notes(result)
    assert '7 of 7 images measured (7 with labels, 7 with depth)' in first
    assert 'depth from 0.001 to 80 m, crop none' in first
    assert any('Table IV' in line for line in others)
