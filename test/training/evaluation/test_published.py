"""Published metrics beside ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from hydranet_ros.errors import PresetError
from hydranet_ros.training.data.catalog import KINDS
from hydranet_ros.training.evaluation import published
from hydranet_ros.training.evaluation.published import published_rows

ROW = """
- name: somebody
  source: a table in a paper
  note: none
  data: [camvid]
  metrics: {GROUP: {METRIC: 0.5}}
"""


def test_each_row_names_its_source_and_known_data_sets() -> None:
    rows = published_rows()
    assert {'nyud', 'kitti_depth'} <= {kind for row in rows for kind in row.data}
    for row in rows:
        assert len(row.source) > 10
        assert row.metrics
        assert set(row.data) <= set(KINDS)
        assert all(0 < value < 100 for group in row.metrics.values() for value in group.values())
        assert row.metrics.get('segmentation', {}).get('miou', 0) < 1, 'fractions are 0..1'


def test_rows_are_those_of_the_kind() -> None:
    names = [row.name for row in published_rows('kitti_depth')]
    assert names == ['paper, KITTI-6']
    assert published_rows('camvid') == ()


@pytest.mark.parametrize(('group', 'metric', 'message'), [
    ('segmentation', 'IoU', "Metric 'IoU' is unknown; known: miou"),
    ('classes', 'miou', "'classes' is unknown; known: segmentation"),
    ('segmentation', 'rmse', "has 'rmse', a metric of depth"),
])  # fmt: skip
def test_an_unregistered_metric_is_refused(
    monkeypatch, tmp_path: Path, group: str, metric: str, message: str
) -> None:
    path = tmp_path / 'published.yaml'
    path.write_text(ROW.replace('GROUP', group).replace('METRIC', metric))
    monkeypatch.setattr(published, 'config_file', lambda name: path)
    with pytest.raises(PresetError, match=f'{path.name}: .*{message}'):
        published_rows()


def test_a_malformed_file_is_refused_with_its_name(monkeypatch, tmp_path: Path) -> None:
    path = tmp_path / 'published.yaml'
    path.write_text('- {name: somebody}')
    monkeypatch.setattr(published, 'config_file', lambda name: path)
    with pytest.raises(PresetError, match=r'published\.yaml: .*missing key'):
        published_rows()
