"""Bounds of ratios: reading the file, and checking a document."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from benchmark_documents import document, measured, unmeasured
from conftest import ROOT

from benchmarks.harness.bounds import Bound, check, load_bounds
from hydranet_ros.errors import BenchError

BOUNDS = (Bound('network', 'speedup', least=1.3), Bound('frame', 'frame_to_network', most=1.1))


def test_satisfied_bounds_are_counted():
    found = document(network=measured(speedup=1.3), frame=measured(frame_to_network=1.05))
    verdict = check(found, BOUNDS)
    assert (verdict.satisfied, verdict.violated, verdict.suites) == (2, (), ())


def test_violated_bounds_name_value_and_limit():
    found = document(network=measured(speedup=1.29), frame=measured(frame_to_network=1.2))
    verdict = check(found, BOUNDS)
    assert verdict.violated == (
        'network.speedup is 1.29; allowed: 1.3 or more',
        'frame.frame_to_network is 1.2; allowed: 1.1 or less',
    )
    assert verdict.suites == ('network', 'frame')


@pytest.mark.parametrize('metrics', [{'speedup': None}, {'speedup': math.nan}, {'other': 2.0}])
def test_a_missing_value_violates_its_bound(metrics):
    assert check(document(network=measured(**metrics)), BOUNDS).violated


def test_an_unmeasured_suite_is_skipped_unless_it_was_requested():
    found = document(network=measured(speedup=2.0), frame=unmeasured('rclpy is missing'))
    verdict = check(found, BOUNDS)
    assert not verdict.violated
    assert verdict.skipped == ('frame.frame_to_network was not measured: rclpy is missing',)
    assert check(found, BOUNDS, ['frame']).violated


def test_a_failed_suite_violates_its_bounds():
    found = document(network=measured(speedup=2.0), frame=unmeasured('differ', failed=True))
    assert check(found, BOUNDS).violated


def test_a_check_without_a_checked_bound_is_a_violation():
    verdict = check(document(gpu=unmeasured('no GPU')), BOUNDS)
    assert 'no bound was checked' in verdict.violated[0]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('network: {network_ms_640x480: {max: 90}}', 'is not a ratio'),
        ('startup: {first_result_s: {max: 2}}', 'is not a ratio'),
        ('startup: {memory_at_rest_mb: {max: 250}}', 'is not a ratio'),
        ('ros_graph: {cloud_latency_ms_profile: {max: 12}}', 'is not a ratio'),
        ('network: {speedup: {least: 1}}', r"network\.speedup: unknown key 'least'\. .*min, max"),
        ('network: {speedup: 1.3}', r'network\.speedup: got 1\.3; expected a mapping'),
        ('network: {speedup: {}}', r'network\.speedup needs min or max'),
        ('network: {}', "'network' is not a suite with metrics"),
        ('netwrok: {speedup: {min: 1.3}}', 'network, frame'),
        ('{}', 'has no bounds'),
        ('', 'expected a mapping'),
        ('a: [', 'cannot be read'),
    ],
)
def test_an_invalid_bounds_file_is_an_error(tmp_path: Path, text, message):
    path = tmp_path / 'bounds.yaml'
    path.write_text(text)
    with pytest.raises(BenchError, match=message):
        load_bounds(path)


def test_the_shipped_bounds_are_satisfied_by_the_kept_result():
    from benchmarks.harness.document import read

    bounds = load_bounds(ROOT / 'benchmarks' / 'bounds.yaml')
    (path,) = (ROOT / 'benchmarks' / 'results').glob('*.json')
    verdict = check(read(path), bounds, ['network', 'frame'])
    assert verdict.violated == () and verdict.satisfied == len(bounds)
