"""The command ``python -m benchmarks``: suites, exit status, bounds and repeated measurements."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmark_documents import SMALL, document, measured, unmeasured
from conftest import ROOT

from benchmarks.harness.runner import run_benchmarks

BOUNDS = 'network: {speedup: {min: 1.3}}'


def bench(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, '-m', 'benchmarks', *map(str, arguments)],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip


def checked(tmp_path: Path, found: dict, *names: str) -> int:
    (tmp_path / 'bench.json').write_text(json.dumps(found))
    (tmp_path / 'bounds.yaml').write_text(BOUNDS)
    return run_benchmarks(
        names, SMALL, source=tmp_path / 'bench.json', check=tmp_path / 'bounds.yaml'
    )


def test_a_suite_without_its_hardware_is_reported_as_not_measured(tmp_path: Path):
    torch = pytest.importorskip('torch')
    if torch.cuda.is_available():
        pytest.skip('there is a GPU')
    path = tmp_path / 'bench.json'
    done = bench('gpu', '--quick', '--json', path)
    assert done.returncode == 0, done.stderr
    assert 'gpu: not measured: no NVIDIA GPU' in done.stdout
    found = json.loads(path.read_text())
    assert found['gpu']['measured'] is False
    assert found['gpu']['reason'].startswith('no NVIDIA GPU')


def test_an_unknown_suite_is_one_line_and_exit_status_2():
    done = bench('netwrok')
    assert done.returncode == 2
    assert done.stderr.startswith("benchmarks: Suite 'netwrok' is unknown; allowed: network")


def test_satisfied_bounds_give_exit_status_0(tmp_path: Path, capsys):
    assert checked(tmp_path, document(network=measured(speedup=1.3))) == 0
    assert 'bounds: 1 satisfied, 0 violated' in capsys.readouterr().out


def test_a_violated_bound_is_one_line_and_exit_status_1(tmp_path: Path, capsys):
    assert checked(tmp_path, document(network=measured(speedup=1.29))) == 1
    assert capsys.readouterr().err.splitlines() == [
        'bounds: VIOLATED: network.speedup is 1.29; allowed: 1.3 or more',
    ]


def test_a_failed_suite_gives_exit_status_1(tmp_path: Path):
    path = tmp_path / 'bench.json'
    path.write_text(json.dumps(document(network=unmeasured('outputs differ', failed=True))))
    assert run_benchmarks((), SMALL, source=path) == 1


@pytest.mark.parametrize(
    ('speedups', 'status', 'measurements'),
    [([0.97, 1.4], 0, 2), ([0.9, 0.9, 0.9, 1.4], 1, 3), ([1.4, 0.9], 0, 1)],
)
def test_a_suite_fails_only_if_it_violates_a_bound_three_times(
    tmp_path: Path, monkeypatch, capsys, speedups, status, measurements
):
    values = iter(speedups)
    calls: list[str] = []

    def run_in_process(name, options):
        calls.append(name)
        return measured(speedup=next(values))

    monkeypatch.setattr('benchmarks.harness.runner.run_in_process', run_in_process)
    (tmp_path / 'bounds.yaml').write_text(BOUNDS)
    json_file = tmp_path / 'bench.json'
    got = run_benchmarks(['network'], SMALL, json_file=json_file, check=tmp_path / 'bounds.yaml')
    assert got == status
    assert calls == ['network'] * measurements
    written = json.loads(json_file.read_text())['network']
    assert written['metrics']['speedup'] == speedups[measurements - 1]
    assert len(written['notes']) == measurements - 1
    for note, speedup in zip(written['notes'], speedups):
        assert f'is {speedup:g}' in note
    assert capsys.readouterr().err.count('attempt') == measurements - 1


def test_the_kept_result_can_be_shown(capsys):
    (path,) = (ROOT / 'benchmarks' / 'results').glob('*.json')
    assert run_benchmarks((), SMALL, source=path) == 0
    shown = capsys.readouterr().out
    assert 'frame.frame_to_network_640x480' in shown and 'slowest nodes' in shown
