"""The suite ``frame`` with a small model; no test depends on its speed."""

from __future__ import annotations

import math
import os
from dataclasses import replace

import pytest
from benchmark_documents import SMALL
from model_factory import make_model

pytest.importorskip('onnxruntime', reason='onnxruntime is not installed (extra: cpu)')
pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from benchmarks.suites.frame import fixture, suite
from hydranet_ros.errors import BenchError

SIZES = ('640x480', '1242x375')


@pytest.fixture(scope='module', autouse=True)
def _environment():
    """Restore the DDS variables that the suite sets; otherwise it has its own process."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def ignore(_: str) -> None:
    """Ignore progress."""


@pytest.fixture(scope='module')
def options(tmp_path_factory):
    return replace(SMALL, model=make_model(tmp_path_factory.mktemp('frame') / 'tiny.onnx'))


@pytest.fixture(scope='module')
def result(options):
    return suite.run(options, ignore)


@pytest.mark.parametrize('size', SIZES)
def test_frame_and_network_are_measured_in_the_same_rounds(result, size):
    metrics = result.metrics
    for name in ('frame_to_network', 'frame_with_colors_to_network'):
        value = metrics[f'{name}_{size}']
        assert math.isfinite(value) and value > 0
    assert set(result.runs[size]) == {suite.NETWORK, suite.FRAME, suite.COLORS}
    assert {len(series.milliseconds) for series in result.runs[size].values()} == {SMALL.rounds}


@pytest.mark.parametrize('size', SIZES)
def test_every_stage_of_a_frame_is_measured(result, size):
    for stage in ('decode', 'engine', 'depth', 'cloud', 'color', 'message', 'publish'):
        assert result.metrics[f'stage_{stage}_ms_{size}'] > 0
    assert result.metrics[f'new_camera_rays_ms_{size}'] > 0


def test_a_model_without_heads_is_noted(result):
    assert result.metrics['frame_to_network_heads_640x480'] is None
    assert any(note.startswith(f'{suite.HEADS} was not measured') for note in result.notes)


def test_tables_show_every_stage(result):
    for table in result.tables:
        shown = ' '.join(row[0] for row in table.rows)
        assert all(stage in shown for stage in suite.STAGES)
        assert {len(row) for row in table.rows} == {len(table.header)}


def test_a_message_that_differs_at_the_subscriber_is_an_error(options, monkeypatch):
    """The comparison uses what the other process received."""
    original = fixture.expected_results
    monkeypatch.setattr(
        fixture,
        'expected_results',
        lambda *given: {name: value[:-1] + b'?' for name, value in original(*given).items()},
    )
    monkeypatch.setattr(suite, 'SIZES', suite.SIZES[:1])
    with pytest.raises(BenchError, match='differs from the expected one'):
        suite.run(replace(options, rounds=1), ignore)
