"""The JSON document: its header, and files that are not one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from benchmark_documents import SMALL, document, measured
from conftest import ROOT

from benchmarks.harness.document import FORMAT, header, read, write
from hydranet_ros.errors import BenchError


def test_the_header_describes_machine_versions_and_options():
    found = header(SMALL)
    assert set(found) == {'format', 'date', 'machine', 'versions', 'commit', 'options'}
    assert found['format'] == FORMAT
    assert set(found['machine']) == {'cpu', 'cores', 'memory_gib', 'gpu', 'system', 'load_before'}
    assert found['machine']['cores'] == len(os.sched_getaffinity(0))
    assert found['machine']['memory_gib'] > 0.5
    assert found['versions']['numpy'] == np.__version__
    assert found['options']['quick'] is True


def test_the_header_names_the_commit_of_a_checkout():
    commit = header(SMALL)['commit']
    if not (ROOT / '.git').exists():
        assert commit is None
        return
    head = subprocess.run(
        ['git', 'rev-parse', 'HEAD'], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert commit['hash'] == head.stdout.strip()
    assert isinstance(commit['dirty'], bool)


def test_a_written_document_is_read_back(tmp_path: Path):
    found = document(network=measured(speedup=2.0))
    write(found, tmp_path / 'new' / 'bench.json')
    assert read(tmp_path / 'new' / 'bench.json') == found


@pytest.mark.parametrize('text', ['{}', '[', '[]', '{"format": 99}'])
def test_another_file_is_an_error_with_the_command_that_writes_one(tmp_path: Path, text):
    path = tmp_path / 'x.json'
    path.write_text(text)
    with pytest.raises(BenchError, match='Write one with: python -m benchmarks --json'):
        read(path)
