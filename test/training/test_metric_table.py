"""The registry of metrics: one row formats a metric and judges it everywhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from evaluation_tools import write_set
from lightning.pytorch.callbacks import ModelCheckpoint
from model_factory import expected_depth

from hydranet_ros.errors import TrainingError
from hydranet_ros.training import metric_table
from hydranet_ros.training.config import load_config
from hydranet_ros.training.evaluation.run import EvalOptions, evaluate
from hydranet_ros.training.evaluation.sheet import choose
from hydranet_ros.training.evaluation.tables import tables
from hydranet_ros.training.metric_table import (
    GROUPS,
    METRICS,
    Metric,
    find_metric,
    metrics_of,
    ranking_metrics,
)
from hydranet_ros.training.metrics import ConfusionMatrix, DepthErrors, DepthSums, NormalErrors
from hydranet_ros.training.train import Hardware, _trainer


def test_every_computed_metric_has_a_row_of_its_task() -> None:
    confusion = ConfusionMatrix(2)
    confusion.add(np.zeros((1, 1), int), np.zeros((1, 1), int))
    depth = DepthErrors()
    depth.add(np.ones((1, 1)), np.ones((1, 1)))
    normals = NormalErrors()
    normals.add(np.ones((1, 1, 3)), np.ones((1, 1, 3)))
    for task, values in (
        ('segmentation', confusion.summary()), ('depth', depth.summary()),
        ('depth', depth.mean_over_images()), ('normals', normals.summary()),
    ):  # fmt: skip
        assert list(values) == [metric.key for metric in metrics_of(task)]
    assert {group.task for group in GROUPS.values()} == {row.task for row in METRICS.values()}


@pytest.mark.parametrize(('key', 'value', 'text'), [
    ('miou', 0.87024, 'mIoU 87.0 %'),
    ('rmse', 3.45349, 'RMSE 3.453 m'),
    ('rmse_log', 0.2, 'RMSE log 0.200'),
    ('silog', 12.345, 'SILog 12.35'),
    ('delta1', 1.0, 'd<1.25 100.0 %'),
    ('angle_mean', 23.456, 'mean angle 23.46 deg'),
    ('within_11.25', 0.5, '<11.25 deg 50.0 %'),
])  # fmt: skip
def test_a_value_is_formatted_with_name_and_unit(key: str, value: float, text: str) -> None:
    assert find_metric(key).describe(value) == text


def test_an_undefined_value_is_a_dash() -> None:
    assert METRICS['miou'].format(float('nan')) == METRICS['rmse'].format(None) == '-'


def test_errors_are_better_when_lower_and_accuracies_when_higher() -> None:
    higher = {row.key for row in METRICS.values() if row.higher_is_better}
    assert higher == {
        'miou', 'pixel_accuracy', 'delta1', 'delta2', 'delta3', 'within_11.25', 'within_22.5',
        'within_30',
    }  # fmt: skip
    assert find_metric('miou').mode == 'max'
    assert find_metric('rmse').mode == 'min'


def test_names_on_the_contact_sheet_are_ascii() -> None:
    """OpenCV's fonts have no other characters."""
    assert all(metric.title.isascii() for metric in ranking_metrics())
    assert {metric.task for metric in ranking_metrics()} == {row.task for row in METRICS.values()}


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(TrainingError, match="Metric 'mIoU' is unknown; known: miou, pixel_acc"):
        find_metric('mIoU')


RECIPE = """
data: [{kind: folder, root: a}]
validation: [{kind: folder, root: a}]
stages: [{steps: 1, batch: 1, augmentation: {crop: [64, 64]}}]
monitor: folder/METRIC
"""


def recipe(path: Path, metric: str) -> Path:
    path.write_text(RECIPE.replace('METRIC', metric))
    return path


@pytest.mark.parametrize(('metric', 'mode'), [
    ('miou', 'max'), ('delta2', 'max'), ('within_30', 'max'), ('pixel_accuracy', 'max'),
    ('rmse', 'min'), ('angle_mean', 'min'),
])  # fmt: skip
def test_the_best_checkpoint_follows_the_direction(tmp_path: Path, metric: str, mode: str):
    assert mode_of_best(recipe(tmp_path / 'a.yaml', metric), tmp_path) == mode


def mode_of_best(path: Path, folder: Path) -> str:
    from hydranet_ros.training.callbacks import Validation

    validation = Validation([], folder / 'last.ckpt')
    trainer = _trainer(load_config(path), folder, Hardware('cpu'), None, validation)
    (best,) = [item for item in trainer.callbacks
               if isinstance(item, ModelCheckpoint) and item.monitor]  # fmt: skip
    return best.mode


def test_a_recipe_with_an_unknown_metric_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"a\.yaml: .*Metric 'mIoU' is unknown"):
        load_config(recipe(tmp_path / 'a.yaml', 'mIoU'))


@pytest.mark.parametrize('higher_is_better', [True, False])
def test_a_new_row_is_all_that_a_new_metric_needs(
    monkeypatch, tmp_path: Path, tiny_model: Path, higher_is_better: bool
) -> None:
    """Depth is exact in image 0 and twice too far in image 1: the score is 1 and 0."""
    row = Metric('score', 'score', 'depth', '%', 2, higher_is_better, ranks_images=True)
    others = {key: replace(item, ranks_images=False) for key, item in METRICS.items()}
    monkeypatch.setattr(metric_table, 'METRICS', {**others, row.key: row})
    summary = DepthSums.summary

    def with_score(sums: DepthSums) -> dict[str, float]:
        found = summary(sums)
        return {**found, 'score': 1 - found['abs_rel']} if found else found

    monkeypatch.setattr(DepthSums, 'summary', with_score)
    images = [np.full((48, 64, 3), 60, np.uint8)] * 2
    source = write_set(
        tmp_path / 'set', images, depth=lambda i, image: expected_depth(image) / (1 + i)
    )
    result = evaluate(str(tiny_model), [source], EvalOptions()).results[0]
    for table in tables(result):
        column = next(item for item in table.columns if item.header == 'score %')
        (text,) = column.cells
        assert float(text) == pytest.approx(50, abs=0.2), 'the mean of 1 and 0, in percent'
    titles = [choice.title for choice in choose(result, 1)]
    best = 0 if higher_is_better else 1
    assert titles[0].startswith(f'best 1: {best}, score '), titles
    path = recipe(tmp_path / 'a.yaml', 'score')
    assert mode_of_best(path, tmp_path) == ('max' if higher_is_better else 'min')


def test_every_metric_is_documented() -> None:
    text = (ROOT / 'docs' / 'evaluation.md').read_text(encoding='utf-8')
    for metric in METRICS.values():
        better = 'higher' if metric.higher_is_better else 'lower'
        assert f'| `{metric.key}` | {metric.title} | {better} |' in text, metric.key
