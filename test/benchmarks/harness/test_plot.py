"""The plot of a document."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from benchmark_documents import document, measured, unmeasured
from conftest import ROOT

pytest.importorskip('matplotlib', reason='matplotlib is not installed (extra: bench)')

from benchmarks.harness.document import read
from benchmarks.harness.plot import draw
from hydranet_ros.errors import BenchError

TIMES = {'median_ms': 10.0, 'p95_ms': 12.0, 'ms': [9.0, 10.0, 12.0]}
OURS_BGR = (0x8B, 0x6F, 0x1F)


def suite(ours: tuple[str, ...], variants: tuple[str, ...] = ('a', 'b')) -> dict:
    chart = {'title': 't', 'runs': ['r'], 'variants': ['a', 'b', 'absent'], 'ours': list(ours),
             'reference': 'a'}  # fmt: skip
    return {**measured(), 'chart': chart, 'runs': {'r': dict.fromkeys(variants, TIMES)}}


def highlighted_pixels(path: Path) -> int:
    image = cv2.imread(str(path))
    return int((image == OURS_BGR).all(axis=2).sum())


def test_the_bar_of_this_package_is_highlighted(tmp_path: Path):
    draw(document(network=suite(ours=())), tmp_path / 'none.png')
    draw(document(network=suite(ours=('b',))), tmp_path / 'one.png')
    draw(document(network=suite(ours=('a', 'b'))), tmp_path / 'two.png')
    none, one, two = (
        highlighted_pixels(tmp_path / f'{name}.png') for name in ('none', 'one', 'two')
    )
    assert none < one < two, 'the legend, one bar, two bars'
    assert two - one == pytest.approx(one - none, rel=0.1)


def test_each_measured_suite_is_a_panel(tmp_path: Path):
    draw(document(network=suite(ours=('a',))), tmp_path / 'one.png')
    draw(document(network=suite(ours=('a',)), frame=suite(ours=('a',))), tmp_path / 'two.png')
    one, two = (cv2.imread(str(tmp_path / f'{name}.png')) for name in ('one', 'two'))
    assert one.shape[1] == two.shape[1] and two.shape[0] > 1.5 * one.shape[0]


def test_a_document_without_charts_is_an_error(tmp_path: Path):
    with pytest.raises(BenchError, match='nothing to plot'):
        draw(document(gpu=unmeasured('no GPU'), network=measured()), tmp_path / 'none.png')


def test_the_kept_result_can_be_drawn(tmp_path: Path):
    (path,) = (ROOT / 'benchmarks' / 'results').glob('*.json')
    draw(read(path), tmp_path / 'bench.png')
    assert cv2.imread(str(tmp_path / 'bench.png')).std() > 5
