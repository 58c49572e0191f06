"""Outcomes of suites: measured, not measured, failed, crashed."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest
from benchmark_documents import SMALL

from benchmarks.harness import suite_process
from benchmarks.harness.results import SuiteResult
from hydranet_ros.errors import BenchError, MissingDependencyError, NotMeasuredError


@pytest.mark.parametrize(
    ('error', 'reason', 'failed'),
    [
        (NotMeasuredError('no GPU here'), 'no GPU here', False),
        (MissingDependencyError('x is not installed'), 'x is not installed', False),
        (ModuleNotFoundError('rclpy', name='rclpy'), "'hydranet_ros[ros]'", False),
        (BenchError('the outputs\nof A and B differ'), 'the outputs of A and B differ', True),
    ],
)
def test_a_suite_that_cannot_run_gives_one_line_as_reason(monkeypatch, error, reason, failed):
    pytest.importorskip('onnxruntime')
    import benchmarks.suites.gpu.suite

    def run(options, progress):
        raise error

    monkeypatch.setattr(benchmarks.suites.gpu.suite, 'run', run)
    found = suite_process.run_suite('gpu', SMALL, print).to_json()
    assert (found['measured'], found['failed']) == (False, failed)
    assert reason in found['reason'] and '\n' not in found['reason']


def test_a_crash_of_a_suite_is_a_failure_with_its_exit_status(tmp_path: Path, monkeypatch):
    (tmp_path / 'python').write_text('#!/bin/sh\nexit 7\n')
    (tmp_path / 'python').chmod(0o755)
    monkeypatch.setattr(sys, 'executable', str(tmp_path / 'python'))
    found = suite_process.run_in_process('network', SMALL)
    assert found['measured'] is False and found['failed'] is True
    assert 'status 7' in found['reason']


def test_a_metric_without_samples_is_null_and_noted():
    result = SuiteResult('ros_graph', {'rate_hz': 8.0, 'age_ms': math.nan, 'ratio': math.inf})
    found = suite_process.Outcome('ros_graph', 1.0, result).to_json()
    assert found['metrics'] == {'rate_hz': 8.0, 'age_ms': None, 'ratio': None}
    assert 'age_ms, ratio' in found['notes'][-1]
    json.dumps(found, allow_nan=False)


def test_an_unknown_suite_is_an_error_with_the_allowed_names():
    with pytest.raises(BenchError, match="'netwrok' is unknown; allowed: network, frame"):
        suite_process.select_suites(['frame', 'netwrok'])


def test_suites_run_in_their_fixed_order():
    assert suite_process.select_suites(['frame', 'network']) == ('network', 'frame')
    assert suite_process.select_suites([]) == suite_process.SUITES
