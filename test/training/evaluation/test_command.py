"""The command ``hydranet eval``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from hydranet_ros.errors import MediaError
from hydranet_ros.training.evaluation.command import run_eval
from hydranet_ros.training.evaluation.run import EvalOptions


def test_the_command_prints_tables_and_writes_report_and_sheet(
    tmp_path: Path, tiny_model: Path, truth: str
) -> None:
    report, sheet = tmp_path / 'r.json', tmp_path / 'sheet.png'
    done = subprocess.run(
        [sys.executable, '-m', 'hydranet_ros', 'eval', str(tiny_model), truth, '--limit', '2',
         '--json', str(report), '--sheet', str(sheet), '--provider', 'cpu'],
        capture_output=True, text=True, timeout=120, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for text in ('mIoU %', 'RMSE m', 'SILog', '2 of 7 images', 'BTS', str(sheet)):
        assert text in done.stdout
    assert 'eval' in json.loads(report.read_text())['command']
    assert sheet.is_file()


def test_a_file_that_cannot_be_written_is_an_error_before_the_work(
    tmp_path: Path, tiny_model: Path
) -> None:
    """The data source does not exist, which would be the next error."""
    (tmp_path / 'file').write_text('')
    for path in (tmp_path / 'file' / 'report.json', tmp_path):
        with pytest.raises(MediaError, match='cannot be written|is a folder'):
            run_eval(
                str(tiny_model), ['nowhere:there'], EvalOptions(), model_options={},
                json_file=path,
            )  # fmt: skip
    assert [item.name for item in tmp_path.iterdir()] == ['file']
