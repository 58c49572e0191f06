"""The suite ``official`` on one image size."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from benchmark_documents import SMALL

pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')
pytest.importorskip('onnxruntime', reason='onnxruntime is not installed (extra: cpu)')

from benchmarks.suites.official import suite
from hydranet_ros.errors import BenchError

LABELS = np.zeros((40, 50), np.uint8)
DEPTH = np.ones((40, 50), np.float32)
COLOR = np.zeros((40, 50, 3), np.uint8)
REFERENCE = suite.Result(LABELS, DEPTH, COLOR)


def half(labels: np.ndarray) -> np.ndarray:
    changed = labels.copy()
    changed[:20] = 1
    return changed


def test_the_official_example_and_ours_give_the_same_result_and_are_measured(monkeypatch):
    monkeypatch.setattr(suite, 'SIZES', ((240, 320), (96, 128)))
    metrics = suite.run(replace(SMALL, rounds=1), lambda text: None).metrics
    for name in ('speedup', 'speedup_bicubic', 'official_ms', 'ours_ms'):
        value = metrics[f'{name}_320x240']
        assert math.isfinite(value) and value > 0
    assert metrics['speedup_128x96'] is None
    assert metrics['equal_labels_bicubic_320x240'] >= 0.999
    assert 0.95 <= metrics['equal_labels_bilinear_320x240'] < 1


def test_equal_results_have_equal_labels():
    assert suite.compare(REFERENCE, REFERENCE, 'bicubic') == 1.0


@pytest.mark.parametrize(
    'changes',
    [
        {'labels': half(LABELS)},
        {'depth': DEPTH * np.float32(1.01)},
        {'color': COLOR + np.uint8(1)},
    ],
    ids=['labels', 'depth', 'color'],
)
def test_different_results_are_an_error(changes):
    with pytest.raises(BenchError):
        suite.compare(replace(REFERENCE, **changes), REFERENCE, 'bicubic')


def test_unknown_depth_is_not_compared():
    unknown = DEPTH.copy()
    unknown[0] = np.nan
    assert suite.compare(replace(REFERENCE, depth=unknown), REFERENCE, 'bicubic') == 1.0
