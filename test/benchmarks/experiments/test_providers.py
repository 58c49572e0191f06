"""The experiment ``providers`` on a small image."""

from __future__ import annotations

import json

from benchmarks.experiments import providers
from hydranet_ros.inference.providers import PROVIDERS


def test_every_candidate_and_batch_has_a_row(tmp_path, capsys):
    file = tmp_path / 'times.json'
    providers.main(
        ['--size', '64x48', '--rounds', '1', '--batches', '1', '2', '--threads', '1', '--json',
         str(file)]
    )  # fmt: skip
    rows = json.loads(file.read_text())['rows']
    installed = {name for name, provider in PROVIDERS.items() if provider.missing() is None}
    assert {row[0].split()[0] for row in rows} == installed
    assert {row[1] for row in rows} == {'1', '2'}
    baseline = next(row for row in rows if row[0] == providers.BASELINE)
    assert baseline[5].startswith('1.0')
    assert providers.BASELINE in capsys.readouterr().out
