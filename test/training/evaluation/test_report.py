"""The JSON report of an evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from evaluation_tools import write_set
from model_factory import expected_labels

from hydranet_ros.errors import MediaError
from hydranet_ros.files import sha256_of
from hydranet_ros.training.evaluation.report import (
    report,
    require_writable,
    write_report,
)
from hydranet_ros.training.evaluation.run import CLEAR, EvalOptions, evaluate
from hydranet_ros.training.metric_table import metrics_of


def test_the_report_has_model_data_versions_and_all_metrics(
    tmp_path: Path, measured, tiny_model: Path
) -> None:
    path = tmp_path / 'report.json'
    write_report(path, measured)
    assert list(tmp_path.iterdir()) == [path]
    found = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name))
    assert {'command', 'created', 'versions', 'options', 'stopped_early'} <= set(found)
    assert {'hydranet_ros', 'python', 'torch', 'numpy'} <= set(found['versions'])
    (data,) = found['data']
    assert data['model']['sha256'] == sha256_of(tiny_model)
    assert data['images'] == data['measured'] == len(data['per_image']) == 7
    depth = data['metrics'][CLEAR]['depth_pooled']
    assert list(depth) == [metric.key for metric in metrics_of('depth')]
    assert list(data['iou_by_class'][CLEAR]) == ['sky', 'building', 'road']
    confusion = np.array(data['confusion'][CLEAR])
    assert np.trace(confusion) / confusion.sum() == pytest.approx(
        data['metrics'][CLEAR]['segmentation']['pixel_accuracy']
    )


def test_the_iou_of_an_absent_class_is_null(tmp_path: Path, tiny_model: Path) -> None:
    gray = [np.full((48, 64, 3), 60, np.uint8)]
    source = write_set(tmp_path, gray, labels=lambda i, image: expected_labels(image))
    data = report(evaluate(str(tiny_model), [source], EvalOptions()))['data'][0]
    assert data['iou_by_class'][CLEAR] == {'sky': None, 'building': 1.0, 'road': None}
    assert data['metrics'][CLEAR]['segmentation']['miou'] == 1


def test_published_rows_are_part_of_the_report(measured) -> None:
    data = report(measured)['data'][0]
    assert data['published'] == [], 'a plain folder has none'


def test_a_file_that_cannot_be_written_is_a_media_error(tmp_path: Path, measured) -> None:
    with pytest.raises(MediaError, match=r'report\.json cannot be written'):
        write_report(tmp_path / 'missing' / 'report.json', measured)


def test_the_folder_of_a_writable_place_is_created(tmp_path: Path) -> None:
    require_writable(tmp_path / 'new' / 'folder' / 'report.json')
    assert list((tmp_path / 'new' / 'folder').iterdir()) == []


def test_a_writable_place_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'report.json'
    path.parent.mkdir()
    path.write_text('old')
    require_writable(path)
    assert path.read_text() == 'old'
    assert list(path.parent.iterdir()) == [path]


def test_a_place_that_is_not_writable_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    with pytest.raises(MediaError, match='cannot be written'):
        require_writable(tmp_path / 'file' / 'report.json')
    with pytest.raises(MediaError, match='is a folder'):
        require_writable(tmp_path)
