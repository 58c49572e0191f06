"""The suite ``network``, run on small images."""

from __future__ import annotations

import json
import sys

import pytest
from benchmark_documents import SMALL

pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')
pytest.importorskip('onnx', reason='onnx is not installed (extra: train)')

from benchmarks.harness.suite_process import Outcome
from benchmarks.models.official_network import official_network
from benchmarks.suites.network import cases, suite
from benchmarks.suites.network.cases import Case
from hydranet_ros.errors import BenchError

LIMITS = suite.Limits((64,), (1 << 16, 1 << 20))


@pytest.fixture(scope='module', autouse=True)
def without_openvino():
    """
    Keep OpenVINO out of the test process.

    After its first use, the next signal with a Python handler ends the process with a segmentation
    fault (OpenVINO 2026). The suites have processes of their own.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, 'openvino', None)
        yield


@pytest.fixture(scope='module')
def result():
    return suite.measure((Case(64, 96), Case(64, 96, 40)), SMALL, lambda text: None, LIMITS)


def test_each_case_has_its_metrics(result):
    found = json.loads(json.dumps(Outcome('network', 1.0, result).to_json(), allow_nan=False))
    metrics = found['metrics']
    for case in ('96x64', '96x64_40classes'):
        for name in ('speedup_vs_plain_export', 'speedup_vs_pytorch', 'peak_share',
                     'full_speedup_vs_plain_export'):  # fmt: skip
            assert metrics[f'{name}_{case}'] > 0
        assert metrics[f'max_error_{case}'] <= 1e-5
        assert metrics[f'official_macs_{case}'] > 1e7
    assert metrics['roofline_share_96x64'] > 0
    assert all(len(digest) == 64 for digest in found['inputs'].values())
    assert any('by operator' in table['title'] for table in found['tables'])


def test_each_variant_has_one_sample_a_round(result):
    assert set(result.runs) == {'96x64, 6 classes', '96x64, 40 classes'}
    run = result.runs['96x64, 40 classes']
    assert {cases.OURS, cases.PLAIN, cases.PYTORCH, cases.FULL} <= set(run)
    assert {len(series.milliseconds) for series in run.values()} == {SMALL.rounds}


def test_the_chart_shows_variants_that_were_run(result):
    chart = result.chart
    assert set(chart.runs) <= set(result.runs)
    assert set(chart.ours) <= set(result.runs[chart.runs[0]])


def test_more_classes_need_more_multiply_adds(result):
    more = result.metrics['official_macs_96x64_40classes'] - result.metrics['official_macs_96x64']
    assert more == 34 * 9 * 256 * 16 * 24  # outputs of the head at a quarter of 96x64


def test_a_network_with_other_weights_is_an_error(monkeypatch):
    other, export = official_network(6, seed=5), cases.export_model
    monkeypatch.setattr(cases, 'export_model', lambda _, path: export(other, path))
    with pytest.raises(BenchError, match=r'hydranet_ros, 96x64, 6 classes: relative difference'):
        suite.measure((Case(64, 96),), SMALL, lambda text: None, LIMITS)
