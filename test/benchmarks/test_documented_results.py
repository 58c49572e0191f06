"""The values in README and in docs/performance.md are those of the kept result."""

from __future__ import annotations

import pytest
from conftest import ROOT

from benchmarks.harness.document import read

(KEPT,) = (ROOT / 'benchmarks' / 'results').glob('*.json')
ROWS = {
    'frame.network_ms': '{:.1f} ms',
    'frame.frame_ms': '{:.1f} ms',
    'frame.frame_to_network': '{:.2f}',
    'frame.frame_with_colors_to_network': '{:.2f}',
    'frame.overhead_ms': '{:.1f} ms',
    'network.speedup_vs_plain_export': '{:.2f}',
    'network.speedup_vs_openvino': '{:.2f}',
    'network.speedup_vs_pytorch': '{:.1f}',
    'network.peak_share': '{:.0%}',
    'frame.stage_decode_ms': '{:.2f}',
    'frame.stage_engine_ms': '{:.1f}',
    'frame.stage_depth_ms': '{:.2f}',
    'frame.stage_cloud_ms': '{:.2f}',
    'frame.stage_color_ms': '{:.2f}',
    'frame.stage_message_ms': '{:.2f}',
    'frame.stage_publish_ms': '{:.2f}',
    'frame.new_camera_rays_ms': '{:.0f}',
}
README_ROWS = ('frame.network_ms', 'frame.frame_ms', 'network.speedup_vs_pytorch',
               'network.speedup_vs_plain_export')  # fmt: skip


def cells(name: str, template: str) -> str:
    """Return the two cells of a row, as they are in the tables."""
    suite, metric = name.split('.')
    metrics = read(KEPT)[suite]['metrics']
    values = (metrics[f'{metric}_640x480'], metrics[f'{metric}_1242x375'])
    return ' | '.join(template.format(value).replace('%', ' %') for value in values)


@pytest.mark.parametrize('name', ROWS)
def test_the_performance_page_shows_the_kept_value(name):
    page = (ROOT / 'docs' / 'performance.md').read_text(encoding='utf-8')
    assert KEPT.name in page
    assert f'| {cells(name, ROWS[name])} |' in page


@pytest.mark.parametrize('name', README_ROWS)
def test_the_readme_shows_the_kept_value(name):
    page = (ROOT / 'README.md').read_text(encoding='utf-8')
    assert KEPT.name in page
    speedup = ' x' if 'speedup' in name else ''
    expected = cells(name, ROWS[name] + speedup)
    assert f'| {expected} |' in page
