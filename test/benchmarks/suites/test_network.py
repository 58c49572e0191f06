"""The suite ``network``, run on small images."""

from __future__ import annotations

import json

import pytest
from benchmark_documents import SMALL

pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')
pytest.importorskip('onnx', reason='onnx is not installed (extra: train)')

from benchmarks.harness.suite_process import Outcome
from benchmarks.models.official_network import official_network
from benchmarks.suites.network import cases, suite
from benchmarks.suites.network.cases import Case
from benchmarks.suites.network.machine_limits import torch_threads
from hydranet_ros.errors import BenchError

LIMITS = suite.Limits((64,), (1 << 16, 1 << 20))


@pytest.fixture(scope='module')
def result():
    return suite.measure((Case(64, 96),), SMALL, lambda text: None, LIMITS)


def test_a_case_has_all_metrics(result):
    found = json.loads(json.dumps(Outcome('network', 1.0, result).to_json(), allow_nan=False))
    metrics = found['metrics']
    for name in ('speedup_vs_plain_export', 'speedup_vs_pytorch', 'peak_share',
                 'full_speedup_vs_plain_export'):  # fmt: skip
        assert metrics[f'{name}_96x64'] > 0
    assert metrics['max_error_96x64'] <= 1e-5
    assert metrics['official_macs_96x64'] > 1e7
    assert metrics['roofline_share_96x64'] > 0
    assert all(len(digest) == 64 for digest in found['inputs'].values())
    assert any('by operator' in table['title'] for table in found['tables'])


def test_each_variant_has_one_sample_a_round(result):
    run = result.runs['96x64, 6 classes']
    assert {cases.OURS, cases.PLAIN, cases.PYTORCH, cases.FULL} <= set(run)
    assert {len(series.milliseconds) for series in run.values()} == {SMALL.rounds}


def test_the_chart_shows_variants_that_were_run(result):
    chart = result.chart
    assert set(chart.runs) <= set(result.runs)
    assert set(chart.ours) <= set(result.runs[chart.runs[0]])


def test_the_key_of_a_case_names_size_and_classes():
    assert [Case(64, 96).key, Case(64, 96, 40).key] == ['96x64', '96x64_40classes']


def test_a_network_with_other_weights_is_an_error(monkeypatch, tmp_path):
    other, export = official_network(6, seed=5), cases.export_model
    monkeypatch.setattr(cases, 'export_model', lambda _, path: export(other, path))
    message = 'hydranet_ros, 96x64, 6 classes: relative difference'
    with torch_threads(SMALL.threads):
        variants = cases.CaseVariants(Case(64, 96), SMALL, tmp_path, [])
        with pytest.raises(BenchError, match=message):
            variants.check()
